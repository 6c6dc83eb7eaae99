// Filters and the keyboard. Without this script the page shows all, and cells open all the same.
"use strict";
(() => {
  const find = document.getElementById("find");
  const boxes = [...document.querySelectorAll(".filters input[type=checkbox]")];
  const rows = [...document.querySelectorAll(".matrix tr.row")];
  const shown = document.getElementById("shown");
  let opener = null;

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const table of document.querySelectorAll(".matrix table")) {
      const names = [...table.querySelectorAll("thead th")].map((head) => head.dataset.name.toLowerCase());
      for (const row of table.querySelectorAll("tr.row")) {
        const cells = [...row.querySelectorAll("td")];
        const label = row.dataset.name.toLowerCase();
        // A word means the row, or a column: then only that column's verdict counts.
        const columns = names.map((name, at) => at)
          .filter((at) => words.every((word) => label.includes(word) || names[at].includes(word)));
        const visible = columns.some((at) => wanted.has(cells[at].dataset.verdict));
        row.hidden = !visible;
        count += visible ? 1 : 0;
      }
    }
    for (const body of document.querySelectorAll(".matrix tbody")) {
      body.hidden = !body.querySelector("tr.row:not([hidden])");
    }
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} rows`;
  }

  function move(from, sideways, down) {
    const cell = from.closest("td");
    const visible = [...document.querySelectorAll(".matrix tr.row:not([hidden])")];
    let at = visible.indexOf(cell.parentElement);
    let column = cell.cellIndex;
    for (;;) {
      at += down;
      column += sideways;
      const target = visible[at] && visible[at].cells[column];
      if (!target || target.tagName !== "TD") return;
      const link = target.querySelector("a");
      if (link) return link.focus();
    }
  }

  function opened() {
    const article = location.hash.startsWith("#cell-") && document.querySelector(location.hash);
    if (article) article.focus({ preventScroll: true });
    else if (opener) opener.focus();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".matrix td a");
    if (link) opener = link;
  });
  document.addEventListener("keydown", (event) => {
    const active = document.activeElement;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape" && location.hash.startsWith("#cell-")) location.hash = "#matrix";
    else if (event.key === "/" && active !== find) { event.preventDefault(); find.focus(); }
    else if (event.key in moves && active.closest && active.closest(".matrix td")) {
      event.preventDefault();
      move(active, ...moves[event.key]);
    }
  });
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", filter);
  for (const box of boxes) box.addEventListener("change", filter);
  window.addEventListener("hashchange", opened);
  opened();
})();
