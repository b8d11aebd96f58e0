// The answer about one photograph: score, diagnoses, reasons, counts and warnings.

import { $, bar, drawing, element, percent, sentence } from "./dom.js";

const LETTERS = { asymmetry: "A", border: "B", color: "C", structures: "D" };
const LAYER_OF = { color: "colours", structures: "structures" };
const proof = element("p", { id: "proof", class: "proof", "aria-live": "polite" });

// Position on a scale of log odds from 0.1 % to 99 %.
function place(share) {
  const odds = (p) => Math.log(p / (1 - p));
  const held = Math.max(0.001, Math.min(0.99, share));
  return (300 * (odds(held) - odds(0.001))) / (odds(0.99) - odds(0.001));
}

function drawGauge({ score, threshold }) {
  const parts = [
    drawing("rect", { class: "track", width: 300, height: 12, rx: 6, y: 6 }),
    drawing("rect", { class: "fill", width: Math.max(8, place(score)), height: 12, rx: 6, y: 6 }),
  ];
  for (const tick of [0.01, 0.1, 0.5, 0.9]) {
    const label = drawing("text", { x: place(tick), y: 34 });
    label.textContent = `${100 * tick}\u00a0%`;
    parts.push(label);
  }
  if (threshold !== null) {
    const x = place(threshold);
    parts.push(drawing("line", { class: "limit", x1: x, x2: x, y1: 1, y2: 23 }));
  }
  $("gauge").replaceChildren(...parts);
}

function verdict({ label, threshold, threshold_rule: rule }, model) {
  if (threshold === null) return ["The score of the network that ships. It has no threshold."];
  const side = element("b");
  side.textContent = label ? "At or above" : "Below";
  const words = ` the threshold${rule ? ` ${rule}` : ""} (${percent(threshold)}) of ${model.name}`;
  return [side, sentence(words)];
}

function reason(text) {
  const [, said, points] = text.match(/^(.*?)(?: \(([^()]*points)\))?$/);
  const [first, ...rest] = said.split(", ");
  const raises = (points ?? "").startsWith("+");
  const mark = element("span", { class: raises ? "up" : "down", "aria-hidden": "true" }, raises ? "▲" : "▼");
  const detail = [rest.join(", "), points && `${raises ? "raises" : "lowers"} the score by ${points.slice(1)}`];
  const small = element("small", {}, sentence(detail.filter(Boolean).join("; ")));
  return element("li", {}, mark, element("span", {}, sentence(first), small));
}

const short = (value, digits = 1) => (Number.isInteger(value) ? value : value.toFixed(digits));

function row(item, peek, whole = false) {
  const title = LETTERS[item.name] ? `${LETTERS[item.name]}  ${item.title}` : item.title;
  const value = item.value === null ? "unknown" : `${short(item.value)} of ${item.high}`;
  const share = item.value === null ? 0 : item.value / item.high;
  const button = element("button", { type: "button", "aria-pressed": "false", "aria-describedby": "proof" }, title, bar(share), element("b", {}, value));
  if (whole) button.className = "whole";
  const show = () => {
    proof.textContent = item.evidence.split("\n").map(sentence).join("\n");
    button.parentElement.append(proof);
    peek(LAYER_OF[item.name] ?? null);
  };
  const hide = () => {
    const chosen = document.querySelector(".rows button[aria-pressed=true]");
    if (chosen) chosen.show();
    else {
      proof.remove();
      peek(null);
    }
  };
  button.show = show;
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show());
  button.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  button.addEventListener("focus", () => button.matches(":focus-visible") && show());
  button.addEventListener("blur", hide);
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") === "true";
    for (const other of document.querySelectorAll(".rows button")) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(!pressed));
    pressed ? hide() : show();
  });
  return element("li", {}, button);
}

export function showAnswer({ answer, person, corrected }, model, peek) {
  const [number, unit] = percent(answer.score).split("\u00a0");
  $("score").replaceChildren(number, element("small", {}, unit));
  $("verdict").replaceChildren(...verdict(answer, model));
  const { similar } = answer;
  $("range").textContent = similar ? `${percent(similar.low)} to ${percent(similar.high)}` : "";
  $("similar").textContent = similar
    ? `Interval: of the ${similar.n} training lesions with the most similar scores, ${similar.n_malignant} were malignant; the 95 % interval of this share is shown.`
    : "";
  drawGauge(answer);
  for (const name of ["age", "sex", "site", "patient_id"]) {
    if (document.activeElement !== $(name)) $(name).value = person[name] ?? "";
  }
  const diagnoses = Object.entries(answer.diagnoses).sort((one, other) => other[1] - one[1]);
  $("diagnoses-part").hidden = !diagnoses.length;
  $("diagnoses").replaceChildren(
    ...diagnoses.map(([name, probability]) =>
      element("li", {}, element("span", {}, name), element("b", {}, percent(probability)), bar(probability)),
    ),
  );
  const like = answer.applicability;
  $("applicability-part").hidden = like === null;
  if (like !== null) {
    $("applicability").textContent =
      like < 0.05
        ? `Unlike the training images (${like.toFixed(2)}): the score rests on the network.`
        : `Like the training images (${like.toFixed(2)}; unusual below 0.05).`;
  }
  $("warnings").replaceChildren(
    ...answer.warnings.map((text) => element("li", {}, sentence(text))),
  );
  $("reasons-part").hidden = !answer.reasons.length;
  $("reasons").replaceChildren(...answer.reasons.map(reason));
  $("counts").hidden = !answer.abcd.length;
  $("abcd").replaceChildren(...answer.abcd.map((item) => row(item, peek, item.name === "tds")));
  const seven = answer.seven_point;
  if (seven) {
    const total = { name: "total", title: "Total score", value: seven.total, high: seven.high };
    total.evidence = "The sum of the grades above. Published cut-offs apply to criteria seen by dermatologists, not to these grades.";
    const rows = seven.criteria.map((item) => row(item, peek));
    $("seven").replaceChildren(...rows, row(total, peek, true));
  }
  $("reset").hidden = !corrected;
}
