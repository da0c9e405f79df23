"""The frame of every screen, the log-in, and what is said when something went wrong; the door to htpy.

Texts become text nodes and attribute values by htpy, which escapes them; nothing here is marked as safe.
"""

from __future__ import annotations

from dataclasses import dataclass

import htpy as h

SCREENS = (("jobs", "Jobs"), ("logs", "Logs"), ("fleet", "Fleet"))
_HTMX = '{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"historyCacheSize":0}'


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, for the frame."""

    name: str
    csrf: str


def page(title: str, here: str, viewer: Viewer | None, body: h.Node) -> str:
    """A whole document. `here`: the screen that is shown; `viewer`: None: nobody is logged in."""
    document = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.meta(name="htmx-config", content=_HTMX),
            h.title[f"{title} · Telecine"],
            h.link(rel="icon", href="/assets/icon.svg", type="image/svg+xml"),
            h.link(rel="stylesheet", href="/assets/console.css"),
            h.script(src="/assets/htmx.min.js", defer=True),
            h.script(src="/assets/console.js", defer=True),
        ],
        h.body[
            h.a(".skip", href="#main")["Skip to the content"],
            _top(here, viewer),
            h.main(id="main", tabindex="-1")[body],
        ],
    ]
    return f"{document}"


def log_in(message: str = "") -> str:
    """The page of those who are not logged in."""
    body = h.section(".log-in")[
        h.h1["Log in"],
        h.p(".fault", role="alert")[message] if message else None,
        h.form(method="post", action="/log-in")[
            h.label(for_="key")["API key or token"],
            h.input(
                id="key", name="key", type="password", required=True, autofocus=True, autocomplete="off",
                spellcheck="false",
            ),
            h.button(type="submit")["Log in"],
        ],
        h.p(".hint")[
            "It shows what your key may see at the services, and nothing else. ",
            "Where they ask nobody for a key, open the one-time link that ",
            h.code["telecine console"], " printed."
        ],
    ]  # fmt: skip
    return page("Log in", "", None, body)


def failure(title: str, message: str, advice: str, viewer: Viewer | None) -> str:
    """A page about what went wrong."""
    return page(title, "", viewer, h.section(".log-in")[h.h1[title], problem(message, advice)])


def problem(message: str, advice: str = "") -> h.Element:
    """What went wrong, and what to do."""
    return h.div(".fault", role="alert")[h.p[message], h.p(".hint")[advice] if advice else None]


def hidden_csrf(viewer: Viewer) -> h.VoidElement:
    """The field that every form with a change has."""
    return h.input(type="hidden", name="csrf", value=viewer.csrf)


def _top(here: str, viewer: Viewer | None) -> h.Element:
    return h.header(".top")[
        h.a(".brand", href="/jobs")["Telecine"],
        viewer is not None
        and h.nav(aria_label="Screens")[
            (
                h.a(href=f"/{name}", aria_current="page" if name == here else None)[label]
                for name, label in SCREENS
            )
        ],
        viewer is not None
        and h.form(".leave", method="post", action="/log-out")[
            hidden_csrf(viewer),
            h.span(".viewer")[viewer.name],
            h.button(".quiet", type="submit")["Log out"],
        ],
    ]
