(() => {
  const box = document.getElementById("decide");
  if (!box) return;
  const { t, tp, fp, p, n, at, ends, sd } = JSON.parse(box.dataset.steps);
  const [slider, prevalence, point, list] = ["cut", "prevalence", "point", "changed-list"].map((id) => document.getElementById(id));
  const most = 40;
  const whole = (count) => count.toLocaleString("en");
  const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}\u00a0%` : "undefined");
  const lesions = (count, kind) => `${whole(count)} ${kind} lesion${count === 1 ? "" : "s"}`;

  const range = (low, high) => (Number.isFinite(low) ? `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}\u00a0%` : "");
  const measured = (name, k) => (ends[name][0][k] === null ? "" : range(ends[name][0][k], ends[name][1][k]));

  // Interval of a predictive value: its log odds are those of the prevalence plus the logarithm of a likelihood ratio.
  function predictive(value, deviation) {
    if (deviation === null || !(value > 0 && value < 1)) return "";
    const odds = Math.log(value / (1 - value));
    const [low, high] = [-1.96, 1.96].map((z) => 1 / (1 + Math.exp(-(odds + z * deviation))));
    return range(low, high);
  }

  function show() {
    const k = Number(slider.value);
    const sensitivity = tp[k] / p;
    const specificity = 1 - fp[k] / n;
    const typed = Number(prevalence.value) / 100;
    const changed = prevalence.value !== prevalence.defaultValue;
    const share = changed && typed > 0 && typed < 1 ? typed : p / (p + n);
    const found = share * sensitivity;
    const needless = (1 - share) * (1 - specificity);
    const missed = share - found;
    const spared = 1 - share - needless;
    const [ppv, npv] = [found / (found + needless), spared / (spared + missed)];
    const other = changed && share !== p / (p + n);
    const values = {
      sensitivity_interval: measured("sensitivity", k), specificity_interval: measured("specificity", k),
      ppv_interval: other ? predictive(ppv, sd[0][k]) : measured("precision", k),
      npv_interval: other ? predictive(npv, sd[1][k]) : measured("npv", k),
      threshold: String(Number(t[k].toPrecision(4))),
      sensitivity: percent(sensitivity), specificity: percent(specificity),
      tp: whole(tp[k]), fp: whole(fp[k]), fn: whole(p - tp[k]), tn: whole(n - fp[k]),
      share: String(Number((100 * share).toPrecision(3))),
      missed: (1000 * missed).toFixed(1), referred: (1000 * (found + needless)).toFixed(0),
      ppv: percent(ppv), npv: percent(npv),
    };
    for (const [name, words] of Object.entries(values)) box.querySelector(`[data-value="${name}"]`).textContent = words;
    slider.setAttribute("aria-valuetext", `threshold ${values.threshold}, sensitivity ${values.sensitivity}`);
    point.setAttribute("cx", (100 * fp[k]) / n);
    point.setAttribute("cy", 100 - (100 * tp[k]) / p);
    for (const button of box.querySelectorAll("[data-step]")) button.setAttribute("aria-pressed", Number(button.dataset.step) === k);
    change(k);
  }

  // Lesions between the threshold of the model and the chosen one.
  function change(k) {
    const [malignant, benign] = [Math.abs(tp[k] - tp[at]), Math.abs(fp[k] - fp[at])];
    const both = `${lesions(malignant, "malignant")} and ${lesions(benign, "benign")}`;
    const words = malignant + benign === 0
      ? "Compared with the threshold of the model, no lesion changes sides."
      : `Compared with the threshold of the model, ${both} ${k < at ? "are now referred" : "are no longer referred"}.`;
    const [low, high] = k < at ? [t[k], t[at]] : [t[at], t[k]];
    const moved = page.cards.filter((card) => card.truth !== "unknown" && card.score >= low && card.score < high);
    moved.sort((a, b) => (b.truth === "malignant") - (a.truth === "malignant") || b.score - a.score);
    const some = moved.length > most ? `The first ${most} of ${whole(moved.length)} among the cases below` : "Among the cases below";
    const legend = moved.length ? ` ${some}: malignant in orange, benign in green.` : "";
    document.getElementById("changed-words").textContent = words + legend;
    list.replaceChildren(...moved.slice(0, most).map(thumbnail));
  }

  function thumbnail(card) {
    const link = document.createElement("a");
    const label = document.createElement("span");
    const picture = page.picture(card);
    link.href = `#${card.id}`;
    link.className = card.truth;
    link.title = `${card.image}, ${card.truth}, score ${card.score.toFixed(3)}`;
    link.setAttribute("aria-label", link.title);
    if (picture) link.style.backgroundImage = `url(${picture})`;
    label.textContent = card.score.toFixed(2);
    link.append(label);
    link.addEventListener("click", () => page.find(link.getAttribute("href")));
    const item = document.createElement("li");
    item.append(link);
    return item;
  }

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      show();
    });
  };
  slider.addEventListener("input", soon);
  prevalence.addEventListener("input", soon);
  box.addEventListener("click", ({ target }) => {
    if (!target.dataset.step) return;
    slider.value = target.dataset.step;
    show();
  });
  for (const part of box.querySelectorAll(".scripted")) part.hidden = false;
  show();
})();
