// Bounded requests to the city.

/** JSON of an address of this origin; throws on any answer but 2xx. */
export async function getJSON(address, signal) {
  const timeout = AbortSignal.timeout(30000);
  const response = await fetch(address, {
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    headers: { Accept: "application/json" },
  });
  if (!response.ok) {
    const error = new Error(`${address}: ${response.status}`);
    error.status = response.status;
    throw error;
  }
  return response.json();
}
