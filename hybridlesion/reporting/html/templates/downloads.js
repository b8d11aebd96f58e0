(() => {
  const style = getComputedStyle(document.documentElement);
  // Rules that the drawing of the threshold needs.
  const drawn = /^(\.(axes|area|line|first)|#point)/;

  function save(name, type, text) {
    const link = document.createElement("a");
    link.download = name;
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function cell(element) {
    const words = element.textContent.replace(/\s+/g, " ").trim();
    // A spreadsheet must not read a name as a formula.
    const safe = /^[=@+-]/.test(words) && !/^[+-]?[\d.]/.test(words) ? `'${words}` : words;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  function csv(table) {
    const rows = [...table.rows].map((row) => [...row.cells].map(cell).join(","));
    return `${rows.join("\r\n")}\r\n`;
  }

  function svg(figure) {
    const copy = figure.querySelector("svg").cloneNode(true);
    copy.setAttribute("style", `background:${style.getPropertyValue("--paper")}`);
    const sheet = document.createElementNS(copy.namespaceURI, "style");
    const rules = [...document.styleSheets[0].cssRules].filter((rule) => drawn.test(rule.selectorText));
    sheet.textContent = rules.map((rule) => rule.cssText).join("\n");
    copy.prepend(sheet);
    const text = new XMLSerializer().serializeToString(copy);
    return text.replace(/var\((--\w+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  }

  function offer(place, label, name, type, make) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = label;
    button.setAttribute("aria-label", `Download ${name}`);
    button.addEventListener("click", () => save(name, type, make()));
    place.append(" ", button);
  }

  for (const table of document.querySelectorAll("table[data-file]")) {
    const place = table.caption || table.createCaption();
    offer(place, "CSV", `${table.dataset.file}.csv`, "text/csv;charset=utf-8", () => csv(table));
  }
  for (const figure of document.querySelectorAll("figure[id]")) {
    offer(figure.querySelector("figcaption"), "SVG", `${figure.id}.svg`, "image/svg+xml", () => svg(figure));
  }
})();
