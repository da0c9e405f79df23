"""docs/fields.md is the catalogue: the same fields, types, other names and stages, in the same order."""

from __future__ import annotations

from telecine.logging.catalogue import FIELDS, KEY_ALIASES, STAGES, FieldType

from tests.pages.pages import page_text

PAGE = page_text("docs/fields.md")


def fields_table() -> str:
    rows = ["| field | type | is | also taken from |", "|---|---|---|---|"]
    for field in FIELDS:
        names = [name for name, own in KEY_ALIASES.items() if own == field.name]
        others = ", ".join(f"`{name}`" for name in (*field.otlp, *names))
        rows.append(f"| `{field.name}` | {field.type} | {field.meaning} | {others} |")
    return "\n".join(rows)


def stages_table() -> str:
    rows = ["| stage | is |", "|---|---|"]
    rows += [
        f"| `{s.name}` | {s.meaning}{' Often: worth sampling.' if s.is_high_volume else ''} |" for s in STAGES
    ]
    return "\n".join(rows)


def test_every_field_stands_on_the_page_as_the_catalogue_has_it() -> None:
    assert fields_table() in PAGE, f"put this into docs/fields.md:\n{fields_table()}"


def test_every_stage_stands_on_the_page() -> None:
    assert stages_table() in PAGE, f"put this into docs/fields.md:\n{stages_table()}"


def test_every_type_is_explained() -> None:
    assert not [kind for kind in FieldType if f"- **{kind}**: " not in PAGE]
