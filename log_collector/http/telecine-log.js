/*! telecine-log.js (Apache-2.0; docs/http.md): ships the records of a web page to a Telecine log collector.
<script src="https://collector:4318/telecine-log.js" data-key="tlc_..." data-service="shop"></script> */
(w => {
  "use strict";
  const d = document, tag = d.currentScript, own = tag ? tag.dataset : {};
  const LEVELS = ["trace", "debug", "info", "warning", "error", "critical"];
  const MAX_TEXT = 8192, MAX_BATCH = 48000, MAX_COUNT = 50, MAX_WAITING = 500, MAX_BYTES = 262144, MAX_UNCAUGHT = 100;
  const config = {
    url: own.url || (tag && tag.src ? new URL("/v1/browser", tag.src).href : ""), key: own.key,
    service: own.service, level: own.level || "info", uncaught: own.uncaught !== "off", seconds: 2
  };
  const context = {}, lines = [], session = id();
  let bytes = 0, lost = 0, number = 0, uncaught = 0, failures = 0, timer = 0;
  // The batch that is under way or to be repeated; it stays as it is until it is answered.
  let flying = null;

  function id() {
    return Array.from({ length: 4 }, () => Math.random().toString(36).slice(2, 10)).join("");
  }

  // Nothing of the logger may throw into the page.
  function safe(f) {
    return (...args) => { try { return f(...args); } catch (e) { lost++; } };
  }

  function failure(e) {
    return { error_type: e.name, error: e.message, stack: e.stack };
  }

  function plain() {
    const seen = new Set();
    return (key, value) => {
      if (typeof value === "string") return value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) + "…" : value;
      if (/bigint|symbol/.test(typeof value)) return String(value);
      if (value instanceof Error) return failure(value);
      if (!value || typeof value !== "object") return value;
      if (value instanceof Node) return value.nodeName;
      if (seen.has(value) || seen.size > 999) return "[...]";
      seen.add(value);
      return value;
    };
  }

  function log(level, msg, fields, bound) {
    if (!config.url || LEVELS.indexOf(level) < LEVELS.indexOf(config.level)) return;
    const record = {
      timestamp: new Date().toISOString(), level: level.toUpperCase(), msg: "", ...context, ...bound,
      ...(msg instanceof Error && failure(msg)), ...(fields instanceof Error ? failure(fields) : fields),
      url: location.origin + location.pathname, session_id: session, page_seq: ++number
    };
    record.msg = String(msg instanceof Error ? msg.message : msg);
    const text = JSON.stringify(record, plain()), size = new Blob([text]).size + 1;
    if (size > MAX_BATCH) { lost++; return; }
    lines.push({ text, size });
    bytes += size;
    while (lines.length > MAX_WAITING || bytes > MAX_BYTES) { bytes -= lines.shift().size; lost++; }
    if (lines.length >= MAX_COUNT || bytes >= MAX_BATCH) send(); else wake(config.seconds);
  }

  function wake(seconds) {
    timer = timer || setTimeout(() => { timer = 0; send(); }, seconds * 1000);
  }

  // The next batch; by its id the collector stores it once, however often it comes.
  function take() {
    if (!lines.length) return null;
    const records = [];
    if (lost) records.push(JSON.stringify({ level: "WARNING", msg: "records of the page were lost", lost, session_id: session }));
    lost = 0;
    for (let size = 0; lines.length && size + lines[0].size <= MAX_BATCH;) {
      const line = lines.shift();
      size += line.size;
      bytes -= line.size;
      records.push(line.text);
    }
    const head = JSON.stringify({ id: id(), key: config.key, service: config.service });
    return { body: head.slice(0, -1) + ',"records":[' + records + "]}", count: records.length };
  }

  const send = safe(() => {
    if (failures && timer) return;
    const batch = flying || take();
    if (!batch || batch.isSent) return;
    flying = batch;
    batch.isSent = true;
    fetch(config.url, {
      method: "POST", body: batch.body, headers: { "content-type": "text/plain" }, credentials: "omit"
    }).then(
      answer => ended(batch, answer.status, Number(answer.headers.get("retry-after"))), () => ended(batch, 503, 0)
    );
  });

  function ended(batch, status, seconds) {
    batch.isSent = false;
    if (flying !== batch) return;
    if (status > 499 || status === 408 || status === 429) {
      clearTimeout(timer);
      timer = 0;
      return wake(Math.max(seconds, Math.min(60, 2 ** failures++)));
    }
    // What is refused for good is not worth a second try.
    if (status > 299) lost += batch.count;
    flying = null;
    failures = 0;
    if (lines.length) wake(lines.length < MAX_COUNT ? config.seconds : 0);
  }

  // A page that is left hears no answer: what is under way goes once more, under its id.
  const leave = safe(() => {
    for (let batch; config.url && (batch = flying || take());) {
      flying = batch;
      if (!navigator.sendBeacon(config.url, new Blob([batch.body], { type: "text/plain" }))) return wake(1);
      flying = null;
    }
  });

  function caught(error, fields) {
    if (config.uncaught && ++uncaught <= MAX_UNCAUGHT) log("error", error, fields);
  }

  function logger(bound) {
    const made = { bind: fields => logger({ ...bound, ...fields }) };
    for (const level of LEVELS) made[level] = safe((msg, fields) => log(level, msg, fields, bound));
    made.warn = made.warning;
    return made;
  }

  w.addEventListener("error", safe(e => {
    if (e.message) caught(e.error || e.message, { event: "uncaught", file: e.filename, line: e.lineno });
  }));
  w.addEventListener("unhandledrejection", safe(e => caught(e.reason, { event: "unhandledrejection" })));
  w.addEventListener("pagehide", leave);
  d.addEventListener("visibilitychange", () => d.visibilityState === "hidden" && leave());

  w.telecineLog = {
    ...logger(), configure: safe(changes => { Object.assign(config, changes); }),
    context: safe(fields => { Object.assign(context, fields); }), flush: send
  };
})(window);
