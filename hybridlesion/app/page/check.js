// The check of a data set: files are sent, and what was found in them is shown.

import { get, saveBlob } from "./api.js";
import { $, element } from "./dom.js";
import { acceptFiles } from "./files.js";

const AT_ONCE = 40; // files of a request
const MOST_BYTES = 100_000_000; // of a request with several files
const SHOWN = 6;

let id = null;
let found = null;
let columns = {};
let sending = Promise.resolve();

const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
const address = (part = "") => `/data-sets/${encodeURIComponent(id)}${part}`;
const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

function fail(text) {
  $("failure").textContent = text;
  $("failure").hidden = !text;
}

function batches(files) {
  const made = [];
  let size = Infinity;
  for (const one of files) {
    if (size + one.file.size > MOST_BYTES || made.at(-1).length === AT_ONCE) {
      made.push([]);
      size = 0;
    }
    made.at(-1).push(one);
    size += one.file.size;
  }
  return made;
}

async function send(files) {
  if (!files.length) return;
  fail("");
  document.body.classList.remove("blank");
  $("clear").hidden = $("progress").hidden = false;
  let done = 0;
  try {
    id ??= (await get("/data-sets", { method: "POST" })).id;
    for (const batch of batches(files)) {
      const form = new FormData();
      for (const { file, path } of batch) form.append("files", file, path);
      await get(address("/files"), { method: "POST", form });
      done += batch.length;
      $("progress").firstChild.value = done / files.length;
      $("progress").lastChild.textContent = `${done} of ${files.length} sent`;
    }
    await check();
  } catch (error) {
    fail(error.message);
  }
  $("progress").hidden = true;
}

async function check() {
  fail("");
  $("state").textContent = "Reading tables and photographs …";
  const json = { columns, malignant: words($("malignant").value), benign: words($("benign").value) };
  json.labels_from_folders = $("labels_from_folders").checked;
  try {
    found = await get(address("/check"), { method: "POST", json });
    show();
  } catch (error) {
    fail(plain(error.message));
    // How far the columns of a refused table were understood, so that they can be named.
    found = { columns: error.content?.columns ?? [], tables: [] };
    showColumns();
    $("found").hidden = !found.columns.length;
  }
  $("found").classList.toggle("refused", !found.n_images);
  $("state").textContent = "";
}

function show() {
  showTiles();
  $("warnings").replaceChildren(...found.notes.map((note) => element("li", {}, plain(note))));
  showColumns();
  showLabels();
  showPhotographs();
  $("next").textContent = command();
  $("found").hidden = false;
}

// Parameters in a message are the fields of this page.
const NAMES = {
  malignant: "Malignant diagnoses", benign: "Further benign words", target_column: "target", id_column: "image_id",
  labels_from_folders: "Folders are named after the diagnosis",
};
const plain = (text) => text.replaceAll(/`(\w+)`/g, (whole, name) => (NAMES[name] ? `“${NAMES[name]}”` : whole));

function showTiles() {
  const { label_counts: labels, near_duplicates: alike } = found;
  const known = (n, noun) => (n === undefined ? `${noun}s are not in the table` : count(n, noun));
  const usable = [found.n_usable.toLocaleString("en"), `of ${count(found.n_images, "photograph")} can be used`];
  const tiles = [
    ["Photographs", ...usable],
    ["With a row", found.n_matched.toLocaleString("en"), found.tables.length ? `of ${count(found.n_rows, "row")}` : "no table"],
    ["Malignant", labels.malignant.toLocaleString("en"), `${labels.benign.toLocaleString("en")} benign, ${labels["without a label"].toLocaleString("en")} without a label`],
    ["Patients", found.n_patients?.toLocaleString("en") ?? "?", known(found.n_lesions, "lesion")],
    ["Near-duplicates", alike.length.toLocaleString("en"), `group${alike.length === 1 ? "" : "s"} among ${found.n_decoded.toLocaleString("en")} decoded`],
  ];
  const drawn = tiles.map(([title, value, text]) => element("div", {}, element("dt", {}, title), element("dd", {}, element("b", {}, value), ` ${text}`)));
  $("tiles").replaceChildren(...drawn);
}

function fill(table, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const cells = (row) => row.map((cell, k) => (k ? element("td", {}, cell) : element("th", { scope: "row" }, cell)));
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))));
}

const KINDS = { used: "good", "not understood": "unsure", "leaks the diagnosis": "bad", ignored: "quiet" };
const FIELDS = ["image_id", "patient_id", "lesion_id", "age", "sex", "site", "diagnosis", "target"];

function showColumns() {
  const order = Object.keys(KINDS);
  const sorted = [...found.columns].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const rows = sorted.map(({ table, column, field, examples, verdict, reason }) => {
    const name = element("span", {}, column);
    if (found.tables.length > 1) name.append(element("small", {}, table));
    const told = element("span", {}, element("b", { class: KINDS[verdict] }, verdict));
    if (reason) told.append(element("small", {}, plain(reason)));
    return [name, choice(column, field), examples.join(", "), told];
  });
  fill($("columns"), ["Your column", "Our field", "Examples", "Verdict"], rows);
  if (!rows.length) fill($("columns"), ["There is no table: the photographs are checked alone."], []);
}

function choice(column, field) {
  const names = field && !FIELDS.includes(field) ? [field, ...FIELDS] : FIELDS;
  const options = names.map((name) => element("option", { value: name, ...(name === field ? { selected: "" } : {}) }, name));
  if (!field) options.unshift(element("option", { value: "", selected: "" }, "–"));
  const made = element("select", { "aria-label": `Field of ${column}` }, ...options);
  made.addEventListener("change", () => {
    columns = Object.fromEntries(Object.entries(columns).filter(([, name]) => name !== column));
    if (made.value) columns[made.value] = column;
    check();
  });
  return made;
}

function showLabels() {
  const sides = { undecided: "left out", "": "no label" };
  const rows = found.labels.map((one) => [one.diagnosis || "(none)", sides[one.side] ?? one.side, one.n_rows.toLocaleString("en"), one.words.join(", ")]);
  fill($("labels"), ["Diagnosis", "Counts as", "Rows", "Written"], rows);
  if (!rows.length) fill($("labels"), ["None, so no model can be fitted."], []);
}

function some(names, n = names.length) {
  const more = n - Math.min(n, SHOWN);
  return `${names.slice(0, SHOWN).join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}`;
}

function showPhotographs() {
  const lines = [];
  for (const [name, noun, missing] of [["photographs", "photograph", "row"], ["rows", "row", "photograph"]]) {
    const { n, examples } = found.unmatched[name];
    if (n && found.tables.length) lines.push(`${count(n, noun)} without a ${missing}: ${some(examples, n)}`);
  }
  for (const { image_id: one, near, without } of found.near_misses) lines.push(`Perhaps the same, ignoring ${without}: ${one} and ${near}`);
  for (const { image_id: one, problem } of found.failures.slice(0, SHOWN)) lines.push(`${one} cannot be used: ${problem}`);
  if (found.failures.length > SHOWN) lines.push(`${found.failures.length - SHOWN} more cannot be used`);
  for (const ids of found.near_duplicates.slice(0, SHOWN)) lines.push(`Near-duplicates: ${some(ids)}`);
  if (found.near_duplicates.length > SHOWN) lines.push(`${found.near_duplicates.length - SHOWN} more groups of near-duplicates`);
  if (!lines.length) lines.push("Every photograph can be used.");
  $("photographs").replaceChildren(...lines.map((line) => element("li", {}, line)));
}

// A word of a POSIX shell.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) && !word.startsWith("-") ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

function command() {
  const tables = found.tables.map((name) => ` --metadata ${quoted(name)}`).join("");
  return `hybridlesion features ${quoted(found.photographs)}${tables} --mapping mapping.toml --out features.parquet`;
}

function forget() {
  if (id) fetch(address(), { method: "DELETE", keepalive: true });
  id = null;
}

acceptFiles([$("files"), $("folder")], (files) => {
  sending = sending.then(() => send(files));
});
$("options").addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
$("mapping").addEventListener("click", () => saveBlob(new Blob([found.mapping_toml], { type: "text/plain" }), "mapping.toml"));
$("clear").addEventListener("click", () => {
  forget();
  location.reload();
});
addEventListener("pagehide", forget);
