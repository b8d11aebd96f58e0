// A box above the tables of the feature catalogue: only rows that contain all its words are shown.
(function () {
  const rows = [...document.querySelectorAll(".bd-article table tbody tr")];
  if (!location.pathname.endsWith("/features.html") || rows.length < 100) return;
  const box = document.createElement("input");
  const count = document.createElement("p");
  box.type = "search";
  box.className = "form-control filter-rows";
  box.placeholder = "Filter features, for example: network scale";
  box.setAttribute("aria-label", "Filter features");
  count.setAttribute("aria-live", "polite");
  const first = document.querySelector(".bd-article section section");
  first.before(box, count);

  function filter() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    for (const section of document.querySelectorAll(".bd-article section section")) {
      section.hidden = !section.querySelector("tbody tr:not([hidden])");
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = words.length ? `${shown} of ${rows.length} features` : "";
  }
  box.addEventListener("input", filter);
})();
