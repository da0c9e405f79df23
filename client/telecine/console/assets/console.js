// What pages do by themselves: live rows, live records that never move what is being read, previews.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const parse = (html) => {
    // Rows are parsed in a table of their own; the server has escaped every text in them.
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };
  const say = (text) => { const place = byId("live"); if (place && place.textContent !== text) place.textContent = text; };
  const listen = (address, names) => {
    const source = new EventSource(address);
    source.onopen = () => say("live");
    source.onerror = () => say("reconnecting");
    for (const [name, take] of Object.entries(names)) source.addEventListener(name, (event) => take(event.data));
    source.addEventListener("over", () => { source.close(); location.reload(); });
    window.addEventListener("pagehide", () => source.close());
    return source;
  };

  // Jobs: rows are exchanged one by one, so that focus, selection and scrolling stay.
  const jobs = byId("jobs");
  if (jobs && jobs.dataset.live) listen(jobs.dataset.live, { rows: (html) => {
    const fresh = parse(html);
    const wanted = [...fresh.querySelectorAll("tr")];
    const ids = new Set(wanted.map((row) => row.id));
    for (const row of [...jobs.children]) if (!ids.has(row.id)) row.remove();
    wanted.forEach((row, place) => {
      let mine = byId(row.id);
      if (mine && !mine.isEqualNode(row) && !mine.contains(document.activeElement)) {
        const box = mine.querySelector("input"), next = row.querySelector("input");
        if (box && next) next.checked = box.checked;
        mine.replaceWith(row);
        mine = row;
      }
      mine = mine || row;
      if (jobs.children[place] !== mine) jobs.insertBefore(mine, jobs.children[place] || null);
    });
  } });

  const job = byId("job");
  if (job && job.dataset.live) listen(job.dataset.live, { job: (html) => job.replaceChildren(parse(html)) });

  const preview = byId("preview");
  if (preview) {
    const address = preview.getAttribute("src");
    const again = () => setTimeout(() => { if (!document.hidden) preview.src = `${address}?at=${Date.now()}`; else again(); },
      Number(preview.dataset.every));
    preview.addEventListener("load", () => { preview.hidden = false; again(); });
    preview.addEventListener("error", () => { preview.hidden = true; again(); });
  }

  // Records: added at the top only while somebody looks at the top and reads nothing; else they wait.
  const follow = byId("follow"), records = byId("records"), fresh = byId("fresh");
  const MOST_WAITING = 1000, MOST_SHOWN = 2000;
  let waiting = [], left = 0;
  const isReading = () => window.scrollY > 40 || follow.getAttribute("aria-pressed") !== "true"
    || records.querySelector("details[open]") || !document.getSelection().isCollapsed;
  const offer = () => {
    fresh.hidden = !waiting.length;
    fresh.textContent = `${waiting.length + left} new records`;
  };
  const show = () => {
    const rows = document.createDocumentFragment();
    for (const row of waiting) if (!byId(row.id)) rows.prepend(row);
    if (left) { const gap = document.createElement("li"); gap.className = "gap"; gap.textContent = `${left} more came meanwhile; load the page again to read them`; rows.append(gap); }
    waiting = []; left = 0;
    const added = [...rows.children];
    records.prepend(rows);
    added.forEach((row) => window.htmx && htmx.process(row));
    while (records.children.length > MOST_SHOWN) records.lastElementChild.remove();
    const empty = document.querySelector("main > .empty");
    if (empty) empty.remove();
    offer();
  };
  if (follow) {
    listen(follow.dataset.live, { records: (html) => {
      for (const row of [...parse(html).children]) if (!row.id || !byId(row.id)) waiting.push(row);
      while (waiting.length > MOST_WAITING) { waiting.shift(); left += 1; }
      if (isReading()) offer(); else show();
    }, state: say });
    follow.addEventListener("click", () => {
      const isOn = follow.getAttribute("aria-pressed") !== "true";
      follow.setAttribute("aria-pressed", String(isOn));
      follow.textContent = isOn ? "Live" : "Paused";
    });
    fresh.addEventListener("click", () => { window.scrollTo(0, 0); show(); });
  }

  document.addEventListener("submit", (event) => {
    const text = event.submitter && event.submitter.dataset.confirm;
    if (text && !window.confirm(text)) event.preventDefault();
  });
  document.querySelectorAll("form[data-submits]").forEach((form) =>
    form.addEventListener("change", (event) => { if (event.target.type === "checkbox") form.requestSubmit(); }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
    const field = document.querySelector("input[type=search]");
    if (field) { event.preventDefault(); field.focus(); }
  });
})();
