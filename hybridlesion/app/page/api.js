// Requests to the server of this page, which waits in line where the queue is full.

export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function words(detail) {
  if (typeof detail === "string") return detail[0].toUpperCase() + detail.slice(1);
  return detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
}

export async function call(path, { method = "GET", json, form, signal } = {}) {
  const options = { method, body: form, signal };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers = { "content-type": "application/json" };
  }
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Error("The app does not answer. Start it again with: hybridlesion app");
    }
    if (answer.status === 503) {
      await pause(Number(answer.headers.get("retry-after")) || 2);
    } else if (answer.ok) {
      return answer;
    } else {
      const content = await answer.json().catch(() => ({ detail: `error ${answer.status}` }));
      throw Object.assign(new Error(words(content.detail)), { status: answer.status, content });
    }
  }
}

export const get = async (path, options) => (await call(path, options)).json();

export function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export async function save(path, name, options) {
  saveBlob(await (await call(path, options)).blob(), name);
}
