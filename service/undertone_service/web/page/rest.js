/** Calls of the REST interface. `apiKey` is "" where the server asks for none. */

/** A refusal of the server: `problem` says what was wrong, `remedy` what would be right. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body.problem);
    this.status = status;
    this.problem = body.problem ?? `The server answered with status ${status}.`;
    this.remedy = body.remedy ?? "";
  }
}

/** Call the service and return the decoded answer. Throws Refusal. */
export async function call(path, apiKey, { method = "GET", headers = {}, body } = {}) {
  if (apiKey) headers.Authorization = `Bearer ${apiKey}`;
  let response;
  try {
    response = await fetch(path, { method, headers, body });
  } catch {
    throw new Refusal(0, { problem: "The server cannot be reached.", remedy: "Check that it is running." });
  }
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}

/** The bundles that this server can run, the default one marked. */
export const listModels = async (apiKey) => (await call("/v1/models", apiKey)).models;
