"use strict";
// What the other scripts of the page need from the gallery.
const page = { cards: [] };
(() => {
  const gallery = document.getElementById("cases");
  const control = (name) => document.getElementById(name);
  if (!gallery) return;
  addEventListener("beforeprint", () => {
    if (control("print-cases").checked) show(listed.length);
  });

  // The page begins with some cards; the others wait as text, which costs a browser nothing.
  const holder = document.createElement("template");
  const batch = Number(gallery.dataset.batch);
  const describe = (element, text) => ({
    element, text, id: element.id, ...element.dataset, score: Number(element.dataset.score),
    words: `${element.dataset.patient}\n${element.dataset.image}`.toLowerCase(),
  });
  const waiting = gallery.querySelector("noscript");
  const texts = waiting ? waiting.textContent.split(/(?=<article )/).slice(1) : [];
  holder.innerHTML = texts.map((text) => `${text.slice(0, text.indexOf(">") + 1)}</article>`).join("");
  const cards = [
    ...[...gallery.querySelectorAll("article")].map((element) => describe(element)),
    ...[...holder.content.children].map((element, k) => ({ ...describe(element, texts[k]), element: null })),
  ];
  waiting?.remove();

  function build(card) {
    if (!card.element) {
      holder.innerHTML = card.text;
      card.element = holder.content.firstElementChild;
      card.text = null;
    }
    return card.element;
  }

  const { compare } = new Intl.Collator("en", { numeric: true });
  const down = (a, b) => b.score - a.score;
  const errors = [...control("error").options].map((option) => option.value);
  const orders = {
    "score-down": down,
    "score-up": (a, b) => a.score - b.score,
    error: (a, b) => errors.indexOf(a.error) - errors.indexOf(b.error) || down(a, b),
    truth: (a, b) => compare(b.truth, a.truth) || down(a, b),
    patient: (a, b) => compare(a.patient, b.patient) || down(a, b),
    id: (a, b) => compare(a.image, b.image),
  };
  const names = ["truth", "error", "low", "high", "words"];
  const more = control("more");
  let listed = cards;
  let shown = 0;

  function show(count) {
    const next = listed.slice(shown, count);
    gallery.append(...next.map(build));
    shown += next.length;
    more.hidden = shown >= listed.length;
  }

  function list() {
    const [truth, error, low, high, words] = names.map((name) => control(name).value);
    const wanted = words.trim().toLowerCase();
    listed = cards.filter(
      (card) =>
        (!truth || card.truth === truth) &&
        (!error || card.error === error) &&
        (low === "" || card.score >= Number(low)) &&
        (high === "" || card.score <= Number(high)) &&
        (!wanted || card.words.includes(wanted)),
    );
    listed.sort(orders[control("sort").value]);
    const all = cards.length.toLocaleString("en");
    control("count").textContent =
      listed.length === cards.length ? `${all} lesions` : `${listed.length.toLocaleString("en")} of ${all} lesions`;
    gallery.replaceChildren();
    shown = 0;
    show(batch);
  }

  function reset() {
    for (const name of names) control(name).value = "";
    list();
  }

  // A card that is asked for by its address may be filtered away, or not be shown yet.
  function find(address) {
    const card = cards.find(({ id }) => `#${id}` === address);
    if (!card || (card.element && card.element.isConnected)) return;
    reset();
    if (card.element && card.element.isConnected) return;
    control("words").value = card.patient || card.image;
    list();
  }

  page.cards = cards;
  page.find = find;
  page.picture = ({ element, text }) =>
    element ? element.querySelector(".picture img")?.src : text.match(/src=.(data:image[^"]+)/)?.[1];
  gallery.addEventListener("click", (event) => {
    const link = event.target.closest(".strip a");
    if (link) find(link.getAttribute("href"));
  });
  // An open sheet takes the whole width.
  gallery.addEventListener(
    "toggle",
    ({ target }) => {
      if (target.matches(".drawn")) target.parentElement.classList.toggle("wide", target.open);
    },
    true,
  );
  const near = new IntersectionObserver(
    ([entry]) => {
      if (!entry.isIntersecting) return;
      show(shown + batch);
      near.unobserve(more);
      near.observe(more);
    },
    { rootMargin: "1500px" },
  );
  near.observe(more);
  more.addEventListener("click", () => show(shown + batch));
  for (const name of names) control(name).addEventListener("input", list);
  control("sort").addEventListener("change", list);
  control("reset").addEventListener("click", reset);
  document.querySelector(".controls .scripted").hidden = false;
  // A page that is loaded again may come with the choices of before.
  list();
  if (location.hash) {
    find(location.hash);
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
})();
