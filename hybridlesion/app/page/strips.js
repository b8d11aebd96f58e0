// Strips under the photograph: the other lesions of the patient, and similar cases of the gallery.

import { get } from "./api.js";
import { $, bar, element, percent, sentence } from "./dom.js";

const AGAIN = 2000; // milliseconds until a gallery that is being read is asked again

const address = (id) => `/photographs/${encodeURIComponent(id)}`;
const picture = (src) => element("img", { src, alt: "", loading: "lazy" });

let latest = 0;
let waiting;

// Show the strips of a photograph, or hide them without one.
export async function showStrips(lesion, list, hasGallery) {
  latest += 1;
  const own = latest;
  clearTimeout(waiting);
  if (lesion?.id !== $("similar-part").dataset.id) $("similar-part").hidden = true;
  const group = list.lesions.filter((one) => lesion?.person.patient_id && one.person.patient_id === lesion.person.patient_id);
  if (group.length < 2) $("patient-part").hidden = true;
  else {
    const { lesions } = await get(`${address(lesion.id)}/patient`);
    if (own === latest) drawPatient(lesion, lesions, list);
  }
  if (lesion && hasGallery && own === latest) await showSimilar(lesion, own);
}

function drawPatient(lesion, lesions, list) {
  const most = lesions[0]?.distance || 1;
  $("patient-note").textContent =
    lesions.length < 3
      ? "Three lesions or more show which one is unlike the others."
      : "The most unlike the others first. The bar is the distance of a lesion from the others, in the view of the network.";
  $("patient-lesions").replaceChildren(
    ...lesions.flatMap(({ id, distance }) => {
      const item = list.items.find((one) => one.lesion?.id === id);
      if (!item) return [];
      const score = percent(item.lesion.answer.score);
      const names = { title: item.name, "aria-label": `${item.name}, ${score}` };
      const button = element("button", { type: "button", ...names }, picture(`${address(id)}/thumbnail.jpg`));
      if (lesions.length > 2) button.append(bar((distance ?? 0) / most));
      button.append(element("b", {}, score));
      if (id === lesion.id) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => list.select(item));
      return [element("li", {}, button)];
    }),
  );
  $("patient-part").hidden = false;
}

async function showSimilar(lesion, own) {
  const { cases, n_read: read, n_images: all } = await get(`${address(lesion.id)}/similar`);
  if (own !== latest) return;
  $("similar-part").dataset.id = lesion.id;
  $("similar-note").textContent =
    read < all
      ? `Among the ${read} of ${all} cases read so far.`
      : "In the view of the network. Other pictures of the same lesion or patient are left out.";
  $("similar-cases").replaceChildren(
    ...cases.map(({ number, image_id: name, diagnosis, malignant, similarity }) => {
      const label = element(malignant ? "b" : "span", {}, diagnosis ? sentence(diagnosis) : name);
      const title = `${name}, similarity ${similarity.toFixed(2)}`;
      return element("li", { title }, picture(`/gallery/${number}.jpg`), label);
    }),
  );
  $("similar-part").hidden = false;
  if (read < all) waiting = setTimeout(() => showSimilar(lesion, own).catch(() => {}), AGAIN);
}
