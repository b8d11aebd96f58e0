// The list of photographs: dropped or chosen files, their progress, and the keyboard.

import { call, get } from "./api.js";
import { $, element, percent } from "./dom.js";
import { acceptFiles } from "./files.js";

const AT_ONCE = 2; // requests: one is read while the next is sent
const IDS = "hybridlesion photographs"; // kept for a reload of the page

export class List {
  constructor({ chosen, changed, removed }) {
    this.chosen = chosen;
    this.changed = changed;
    this.removed = removed;
    this.items = [];
    this.running = 0;
    acceptFiles([$("files"), $("folder")], (files) => this.add(files));
    $("list").addEventListener("keydown", (event) => this.key(event));
  }

  get lesions() {
    return this.items.filter((item) => item.lesion).map((item) => item.lesion);
  }

  add(files) {
    for (const { file } of files) this.append({ file, name: file.name });
    this.work();
  }

  append(item) {
    item.node = element("li", { role: "option", tabindex: "-1", "aria-selected": "false" });
    item.node.addEventListener("click", () => this.select(item));
    this.items.push(item);
    $("list").append(item.node);
    this.draw(item);
    document.body.classList.remove("blank");
    if (!this.selected) this.select(item);
  }

  async restore() {
    for (const id of JSON.parse(sessionStorage.getItem(IDS) ?? "[]")) {
      const lesion = await get(`/photographs/${encodeURIComponent(id)}`).catch(() => null);
      if (lesion) this.append({ lesion, name: lesion.name });
    }
  }

  work() {
    while (this.running < AT_ONCE) {
      const item = this.items.find((one) => one.file && !one.busy);
      if (!item) break;
      item.busy = true;
      this.running += 1;
      this.read(item).finally(() => {
        this.running -= 1;
        this.work();
      });
    }
    this.progress();
  }

  async read(item) {
    this.draw(item);
    const form = new FormData();
    form.append("file", item.file, item.name);
    try {
      item.lesion = await get("/photographs", { method: "POST", form });
    } catch (error) {
      item.failure = error.message;
    }
    item.file = null;
    if (!this.items.includes(item)) {
      if (item.lesion) this.forget(item.lesion);
      return;
    }
    this.draw(item);
    if (item === this.selected) this.chosen(item);
    this.changed();
    this.keep();
  }

  update(lesion) {
    const item = this.items.find((one) => one.lesion?.id === lesion.id);
    if (!item) return;
    item.lesion = lesion;
    this.draw(item);
    if (item === this.selected) this.chosen(item);
  }

  keep() {
    sessionStorage.setItem(IDS, JSON.stringify(this.lesions.map((lesion) => lesion.id)));
  }

  progress() {
    const waiting = this.items.filter((item) => item.file).length;
    $("progress").hidden = !waiting;
    if (!waiting) return;
    const read = this.items.length - waiting;
    $("progress").firstChild.value = read / this.items.length;
    $("progress").lastChild.textContent = `${read} of ${this.items.length} read`;
  }

  draw(item) {
    const { lesion, failure, name } = item;
    const label = element("div", { class: "label" }, element("span", {}, name));
    let top = element("div", { class: "waiting" }, failure ? "not readable" : item.busy ? "reading …" : "waiting");
    if (lesion) {
      top = element("img", { src: `/photographs/${encodeURIComponent(lesion.id)}/thumbnail.jpg`, alt: "", loading: "lazy" });
      label.append(element("b", {}, percent(lesion.answer.score)));
    }
    item.node.classList.toggle("failed", Boolean(failure));
    item.node.classList.toggle("above", Boolean(lesion?.answer.label));
    item.node.title = failure ? `${name}: ${failure}` : name;
    const old = item.node.querySelector("img");
    if (old && lesion) item.node.lastChild.replaceWith(label);
    else item.node.replaceChildren(top, label);
  }

  select(item, focus = false) {
    for (const one of this.items) {
      one.node.setAttribute("aria-selected", String(one === item));
      one.node.tabIndex = one === item ? 0 : -1;
    }
    this.selected = item;
    item.node.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) item.node.focus();
    this.chosen(item);
  }

  forget(lesion) {
    const gone = call(`/photographs/${encodeURIComponent(lesion.id)}`, { method: "DELETE" });
    gone.then(() => this.removed()).catch(() => {});
  }

  remove(item) {
    const index = this.items.indexOf(item);
    this.items.splice(index, 1);
    item.node.remove();
    if (item.lesion) this.forget(item.lesion);
    this.keep();
    this.selected = null;
    const next = this.items[Math.min(index, this.items.length - 1)];
    if (next) this.select(next, true);
    else {
      document.body.classList.add("blank");
      document.querySelector("#drop button").focus();
    }
    this.progress();
    this.changed();
  }

  key(event) {
    const index = this.items.indexOf(this.selected);
    const last = this.items.length - 1;
    const to = { ArrowDown: index + 1, ArrowRight: index + 1, ArrowUp: index - 1, ArrowLeft: index - 1, Home: 0, End: last }[event.key];
    if (event.key === "Delete") this.remove(this.selected);
    else if (to === undefined) return;
    else this.select(this.items[Math.max(0, Math.min(last, to))], true);
    event.preventDefault();
  }
}
