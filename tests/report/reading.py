"""Reads a page as a browser would, to ask it questions: its elements with their attributes, its text with the language it stands in."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"img", "br", "meta", "col"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    parents: tuple[str, ...]
    text: str = ""
    lang: str = ""


@dataclass
class Page(HTMLParser):
    elements: list[Element] = field(default_factory=list)
    texts: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    """(text, the language it stands in, the elements around it)."""
    open_: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        outer = self.open_[-1].lang if self.open_ else ""
        values = dict(attrs)
        element = Element(tag, values, tuple(e.name for e in self.open_), lang=str(values.get("lang") or outer))
        self.elements.append(element)
        if tag not in VOID:
            self.open_.append(element)

    def handle_endtag(self, tag):
        assert self.open_, f"</{tag}> closes nothing"
        assert self.open_[-1].name == tag, f"</{tag}> closes <{self.open_[-1].name}>"
        self.open_.pop()

    def handle_data(self, data):
        for element in self.open_:
            element.text += data
        if data.strip() and self.open_:
            self.texts.append((data.strip(), self.open_[-1].lang, tuple(e.name for e in self.open_)))

    def all(self, name: str) -> list[Element]:
        return [e for e in self.elements if e.name == name]


def read(html: str) -> Page:
    """The page, whose every element must be closed in its turn."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open_ == []
    return page
