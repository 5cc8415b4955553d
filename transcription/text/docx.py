"""A transcript as a Word document (ISO/IEC 29500, the parts that every reader demands).

Made by hand: five small XML files in a ZIP, where a library would bring an XML parser in C for
what is written here in a hundred lines.
"""

from __future__ import annotations

import io
import re
import zipfile
from xml.sax.saxutils import escape

from transcription.text.exports import Transcript
from transcription.text.joining import tidy

__all__ = ["DOCX_MEDIA_TYPE", "render_docx"]

DOCX_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

#: Languages that are written from right to left.
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ps", "sd", "ur", "yi"})
#: What XML 1.0 cannot hold, escaped or not.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Every file in the archive bears it, so that the same transcript gives the same bytes.
_DATE_TIME = (1980, 1, 1, 0, 0, 0)

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"

_CONTENT_TYPES = (
    f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_WORD_TYPE}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_WORD_TYPE}.styles+xml"/>'
    "</Types>"
)
_PACKAGE_PARTS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>'
    "</Relationships>"
)
_DOCUMENT_PARTS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    "</Relationships>"
)
# Sizes are in half points, distances in twentieths of a point.
_STYLES = (
    f"{_HEAD}<w:styles {_W}>"
    "<w:docDefaults><w:rPrDefault><w:rPr>"
    '<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="SimSun" w:cs="Arial"/>'
    '<w:sz w:val="22"/><w:szCs w:val="22"/>'
    "</w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>"
    '<w:spacing w:after="120" w:line="276" w:lineRule="auto"/>'
    "</w:pPr></w:pPrDefault></w:docDefaults>"
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
    "</w:style>"
    '<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/>'
    '<w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="240"/></w:pPr>'
    '<w:rPr><w:b/><w:sz w:val="36"/><w:szCs w:val="36"/></w:rPr></w:style>'
    '<w:style w:type="character" w:default="1" w:styleId="DefaultParagraphFont">'
    '<w:name w:val="Default Paragraph Font"/></w:style>'
    '<w:style w:type="character" w:styleId="Time"><w:name w:val="Time"/>'
    '<w:rPr><w:color w:val="7F7F7F"/><w:sz w:val="18"/><w:szCs w:val="18"/></w:rPr></w:style>'
    "</w:styles>"
)
_PAGE = (  # A4 with margins of an inch
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1440" w:right="1440" '
    'w:bottom="1440" w:left="1440" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>'
)


def render_docx(transcript: Transcript, *, title: str) -> bytes:
    """The transcript as a Word document: the title, then a paragraph with its time per segment.

    Without segments the text is one paragraph.
    """
    rtl = transcript.language in RIGHT_TO_LEFT
    paragraphs = [_paragraph(title, style="Title", rtl=rtl)]
    if transcript.segments:
        paragraphs += [
            _paragraph(segment.text, time=_clock(segment.start_seconds), rtl=rtl)
            for segment in transcript.segments
        ]
    elif transcript.text.strip():
        paragraphs.append(_paragraph(transcript.text, rtl=rtl))
    document = f"{_HEAD}<w:document {_W}><w:body>{''.join(paragraphs)}{_PAGE}</w:body></w:document>"
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("[Content_Types].xml", _CONTENT_TYPES),
            ("_rels/.rels", _PACKAGE_PARTS),
            ("word/document.xml", document),
            ("word/_rels/document.xml.rels", _DOCUMENT_PARTS),
            ("word/styles.xml", _STYLES),
        ):
            entry = zipfile.ZipInfo(name, _DATE_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return written.getvalue()


def _paragraph(text: str, *, style: str = "", time: str = "", rtl: bool) -> str:
    properties = (f'<w:pStyle w:val="{style}"/>' if style else "") + ("<w:bidi/>" if rtl else "")
    runs = ""
    if time:
        runs += f'<w:r><w:rPr><w:rStyle w:val="Time"/></w:rPr><w:t>{time}</w:t></w:r>'
        runs += '<w:r><w:t xml:space="preserve">  </w:t></w:r>'
    run_properties = "<w:rPr><w:rtl/></w:rPr>" if rtl else ""
    words = escape(tidy(_NO_XML.sub("", text)))
    runs += f'<w:r>{run_properties}<w:t xml:space="preserve">{words}</w:t></w:r>'
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{runs}</w:p>"


def _clock(seconds: float) -> str:
    """3,723.4 → "1:02:03"; 63 → "1:03" """
    minutes, whole_seconds = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"
