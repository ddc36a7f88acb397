"""Static files: a folder served as a handler. RFC 9110 sections 8.8, 9.3, 13 and 14.

    h123.serve(Files("site"))

The parts stand by themselves: `folder` finds what a path means and lets nothing out, `selection` (with
`conditional` and `ranges`) decides what of it is sent, `file_stream` sends it, `listing` and `page` are what
people see, and `handler` puts them together.
"""

from .file_stream import FileTruncated as FileTruncated
from .handler import Files as Files
