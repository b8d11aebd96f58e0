// The page: the list chooses a photograph, the viewer and the answer show it.

import { get, save } from "./api.js";
import { showAnswer } from "./answer.js";
import { $, element } from "./dom.js";
import { List } from "./list.js";
import { showStrips } from "./strips.js";
import { Viewer } from "./viewer.js";

let model;
let current = null;

function fail(text) {
  $("failure").textContent = text;
  $("failure").hidden = !text;
}

const address = (id) => `/photographs/${encodeURIComponent(id)}`;

// One change of a photograph: the answer of the latest one is shown.
let latest = 0;
async function change(id, path, options, words) {
  latest += 1;
  const own = latest;
  fail("");
  $("answer").ariaBusy = "true";
  if (words) viewer.busy(words);
  try {
    const lesion = await get(`${address(id)}${path}`, options);
    if (own === latest) list.update(lesion);
    await refresh(lesion);
  } catch (error) {
    fail(error.message);
    if (current?.lesion) viewer.show(current.lesion);
  }
  if (own !== latest) return;
  $("answer").ariaBusy = "false";
  if (words) viewer.layers();
}

// Other lesions of a patient, whose scores changed with those of one.
async function refresh(changed) {
  if (!model.uses_context) return;
  for (const { id, person } of list.lesions) {
    if (id !== changed?.id && person.patient_id) list.update(await get(address(id)));
  }
}

const viewer = new Viewer({
  corrected: (id, points) => change(id, "/outline", { method: "PUT", json: { points } }, "measuring again"),
  failed: fail,
});

const list = new List({
  chosen(item) {
    current = item;
    const shown = Boolean(item.lesion);
    for (const id of ["answer", "evidence"]) $(id).hidden = !shown;
    document.querySelector(".below").hidden = !shown;
    fail(item.failure ?? "");
    if (shown) {
      viewer.show(item.lesion);
      showAnswer(item.lesion, model, (layer) => viewer.peek(layer));
    } else {
      viewer.clear(item.name);
      if (!item.failure) viewer.busy("reading the photograph");
    }
    buttons();
    showStrips(item.lesion, list, model.has_gallery).catch((error) => fail(error.message));
  },
  changed: () => buttons(),
  removed: () => refresh().catch((error) => fail(error.message)),
});

function buttons() {
  for (const id of ["sheet-pdf", "sheet-png"]) $(id).disabled = !current?.lesion;
  for (const id of ["csv", "json"]) $(id).disabled = !list.lesions.length;
  $("same-patient").disabled = list.lesions.length < 2;
}

async function saving(button, path, name, options) {
  button.disabled = true;
  try {
    await save(path, name, options);
  } catch (error) {
    fail(error.message);
  }
  buttons();
}

for (const kind of ["pdf", "png"]) {
  const button = $(`sheet-${kind}`);
  button.addEventListener("click", () => {
    const { id, name } = current.lesion;
    const stem = name.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_");
    saving(button, `${address(id)}/sheet.${kind}`, `${stem}_abcd.${kind}`);
  });
}
for (const kind of ["csv", "json"]) {
  $(kind).addEventListener("click", () => {
    const ids = list.lesions.map((lesion) => lesion.id);
    saving($(kind), `/export.${kind}`, `hybridlesion.${kind}`, { method: "POST", json: { ids } });
  });
}

$("reset").addEventListener("click", () => {
  viewer.edit(false);
  change(current.lesion.id, "/outline", { method: "DELETE" }, "measuring again");
});

let typing;
$("person").addEventListener("submit", (event) => event.preventDefault());
$("person").addEventListener("input", () => {
  clearTimeout(typing);
  if (!$("person").checkValidity()) return;
  const { id } = current.lesion;
  const person = Object.fromEntries(["age", "sex", "site", "patient_id"].map((name) => [name, $(name).value || null]));
  if (person.age !== null) person.age = Number(person.age);
  typing = setTimeout(() => change(id, "/person", { method: "PUT", json: person }), 250);
});

$("same-patient").addEventListener("click", async () => {
  if (!$("person").checkValidity()) return;
  clearTimeout(typing);
  const ids = list.lesions.map((lesion) => lesion.id);
  const { value: age } = $("age");
  // Another page of this app may have a patient without a name too.
  const name = $("patient_id").value || `patient ${crypto.randomUUID().slice(0, 4)}`;
  const json = { ids, patient_id: name, age: age ? Number(age) : null, sex: $("sex").value || null };
  try {
    const { photographs } = await get("/patient", { method: "PUT", json });
    for (const lesion of photographs) list.update(lesion);
    list.select(list.selected);
  } catch (error) {
    fail(error.message);
  }
});

async function start() {
  model = await get("/model");
  $("model").textContent = model.has_model ? model.name : "No model";
  $("notice").textContent = model.notice ?? "";
  $("notice").hidden = !model.notice;
  $("version").textContent = `hybridlesion ${model.version}`;
  for (const [id, values] of [["sex", model.sexes], ["site", model.sites]]) {
    $(id).append(...values.map((value) => element("option", { value }, value)));
  }
  if (!model.uses_metadata) {
    for (const name of ["age", "sex", "site"]) $(name).disabled = true;
    $("person-note").textContent = model.has_model ? "This model does not use them." : "The network does not use them.";
  }
  if (!model.has_model) $("answer-title").textContent = "Score of the network";
  await list.restore();
}

start().catch((error) => {
  $("notice").textContent = error.message;
  $("notice").hidden = false;
});
