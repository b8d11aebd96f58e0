"use strict";
(() => {
  const gallery = document.getElementById("cases");
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not(.drawn)")) part.open = true;
  });
  if (!gallery) return;
  const cards = [...gallery.children];
  const control = (name) => document.getElementById(name);
  const text = (name) => (a, b) => a.dataset[name].localeCompare(b.dataset[name], "en", { numeric: true });
  const down = (a, b) => b.dataset.score - a.dataset.score;
  const errors = [...control("error").options].map((option) => option.value);
  const orders = {
    "score-down": down,
    "score-up": (a, b) => a.dataset.score - b.dataset.score,
    error: (a, b) => errors.indexOf(a.dataset.error) - errors.indexOf(b.dataset.error) || down(a, b),
    truth: (a, b) => -text("truth")(a, b) || down(a, b),
    patient: (a, b) => text("patient")(a, b) || down(a, b),
    id: text("image"),
  };
  const names = ["truth", "error", "low", "high", "words"];

  function filter() {
    const [truth, error, low, high, words] = names.map((name) => control(name).value);
    const wanted = words.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      const { score, patient, image } = card.dataset;
      const fits =
        (!truth || card.dataset.truth === truth) &&
        (!error || card.dataset.error === error) &&
        (low === "" || Number(score) >= Number(low)) &&
        (high === "" || Number(score) <= Number(high)) &&
        (!wanted || `${patient}\n${image}`.toLowerCase().includes(wanted));
      card.hidden = !fits;
      shown += fits;
    }
    const all = cards.length.toLocaleString("en");
    control("count").textContent =
      shown === cards.length ? `${all} lesions` : `${shown.toLocaleString("en")} of ${all} lesions`;
  }

  function sort() {
    gallery.append(...[...cards].sort(orders[control("sort").value]));
  }

  function reset() {
    for (const name of names) control(name).value = "";
    filter();
  }

  // A patient's other lesion may be filtered away when its picture is clicked.
  gallery.addEventListener("click", (event) => {
    const link = event.target.closest(".strip a");
    if (!link) return;
    const card = document.querySelector(link.getAttribute("href"));
    if (card.hidden) reset();
  });
  for (const name of names) control(name).addEventListener("input", filter);
  control("sort").addEventListener("change", sort);
  control("reset").addEventListener("click", reset);
  document.querySelector(".scripted").hidden = false;
  // A page that is loaded again may come with the choices of before.
  sort();
  filter();
})();
