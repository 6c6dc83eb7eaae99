"""An audit as one HTML page that needs nothing but itself: matrix first, behind each cell its evidence.

    draw_page(audit) -> str

report.html.j2 is the page, report.css and report.js are put into it. Cells open by CSS alone (:target); the
script only adds filters and the keyboard. Jinja2 escapes what programs print. This module must not know how
the audit was run.
"""

from harness.audit.page.drawing import draw_page

__all__ = ["draw_page"]
