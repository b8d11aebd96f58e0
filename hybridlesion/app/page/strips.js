// Strips under the photograph: the other lesions of the patient, and similar cases of the gallery.

import { get, pause } from "./api.js";
import { $, bar, element, percent, sentence } from "./dom.js";

const AGAIN = 2; // seconds until a gallery that is being read is asked again

const address = (id) => `/photographs/${encodeURIComponent(id)}`;
const picture = (src) => element("img", { src, alt: "", loading: "lazy" });

let asked = new AbortController();

// Show the strips of a photograph, or hide them without one; a later call ends an earlier one.
export async function showStrips(lesion, list, hasGallery) {
  asked.abort();
  const { signal } = (asked = new AbortController());
  if (lesion?.id !== $("similar-part").dataset.id) $("similar-part").hidden = true;
  const patient = lesion?.person.patient_id;
  const alone = !patient || list.lesions.filter((one) => one.person.patient_id === patient).length < 2;
  if (alone) $("patient-part").hidden = true;
  try {
    if (!alone) {
      const { lesions } = await get(`${address(lesion.id)}/patient`, { signal });
      if (!signal.aborted) drawPatient(lesion, lesions, list);
    }
    while (lesion && hasGallery && !signal.aborted) {
      const found = await get(`${address(lesion.id)}/similar`, { signal });
      if (signal.aborted) break;
      drawSimilar(lesion, found);
      if (found.n_read === found.n_images) break;
      await pause(AGAIN);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
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

function drawSimilar(lesion, { cases, n_read: read, n_images: all }) {
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
}
