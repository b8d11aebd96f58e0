// Files that are dropped or chosen, with their paths in a folder.

async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    return [{ file, path: entry.fullPath.slice(1) }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one)));
  }
}

// Hidden files of a folder, such as .DS_Store, are no photographs.
const seen = (found) => found.filter(({ file }) => !file.name.startsWith("."));
const listed = (files) => seen([...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));

// Call `add` with each batch of files that is dropped on the page, or chosen in one of the inputs.
export function acceptFiles(inputs, add) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      add(listed(input.files));
      input.value = "";
    });
  }
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => document.getElementById(button.dataset.opens).click());
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    if (!entries.length) return add(listed(event.dataTransfer.files));
    add(seen((await Promise.all(entries.map(filesOf))).flat()));
  });
}
