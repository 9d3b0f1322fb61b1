"""What every picture lianpu writes says of itself: its recipe as json, and the IPTC digital source type as XMP, both in the PNG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lianpu import __version__, images
from lianpu.errors import DataError

__all__ = ["SCHEMA", "SOURCE_TYPE", "material", "parse", "png_text", "read_recipe"]

SCHEMA = 1
_KEY = "lianpu"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 Iptc4xmpExt:DigitalSourceType={source} xmp:CreatorTool={tool}/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def png_text(recipe: dict[str, Any], source_type: str = "trainedAlgorithmicMedia") -> dict[str, str]:
    """PNG text chunks: `lianpu` (the recipe, json) and the XMP packet with the IPTC digital source type.

    source_type: trainedAlgorithmicMedia for generated pictures, compositeWithTrainedAlgorithmicMedia where a photograph
    was completed, algorithmicMedia for drawings made by rules.
    """
    facts = {"schema": SCHEMA, "lianpu": __version__, **recipe}
    return {
        _KEY: json.dumps(facts, ensure_ascii=False, sort_keys=True),
        "XML:com.adobe.xmp": _XMP.format(
            source=quoteattr(SOURCE_TYPE + source_type), tool=quoteattr(f"lianpu {__version__}")
        ),
    }


def material(data: dict[str, Any]) -> dict[str, Any]:
    """What a picture says of the data set that its model learnt from."""
    return {key: data.get(key) for key in ("fingerprint", "rights", "licences")}


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a picture that lianpu wrote; DataError where there is none. What it says is text from a file: check before use."""
    return parse(images.read_text(path).get(_KEY), path.name)


def parse(text: str | None, name: str) -> dict[str, Any]:
    """The recipe in the text that the file `name` carries, if it carries any."""
    if text is None:
        raise DataError(
            f"{name} carries no lianpu recipe.",
            "",
            "It was not made by lianpu, or a program that saved it again dropped it.",
        )
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        recipe = None
    if not isinstance(recipe, dict) or not isinstance(recipe.get("verb"), str):
        raise DataError(f"the recipe in {name} is damaged.", "", "Make the picture again.")
    return recipe
