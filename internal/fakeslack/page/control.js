// The sandbox's control routes, beside this page.
async function read(response) {
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  return answer;
}

export const get = async (path) => read(await fetch("control/" + path));

export async function post(path, body) {
  try {
    return await read(await fetch("control/" + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
  } catch (failure) {
    return { status: 0, error: String(failure) };
  }
}
