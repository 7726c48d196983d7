// The sandbox's control routes, next to this page. An answer with `error` says why
// something was refused or did not arrive.
async function ask(path, options) {
  const response = await fetch("control/" + path, options);
  return response.json().catch(() => ({ error: `status ${response.status}` }));
}

// get throws where the sandbox does not answer.
export const get = (path) => ask(path);

const change = (method) => (path, body) => ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })
  .catch((failure) => ({ status: 0, error: String(failure) }));

export const post = change("POST");
export const remove = change("DELETE");
