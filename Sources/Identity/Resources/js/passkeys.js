// Asks the browser for a passkey and puts its answer into the form that is waiting for it. Without passkeys, and at an address
// that is a number (which no passkey can belong to), the forms stay hidden.

const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

async function options(form, path) {
  const answer = await fetch(path, {
    method: "POST", body: new URLSearchParams({ csrf: form.elements.csrf.value }),
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

async function assertion(form) {
  const asked = await options(form, "/oauth/passkey/login/options");
  const { id, type, response } = await navigator.credentials.get({
    publicKey: { ...asked, challenge: decode(asked.challenge) },
  });
  return {
    id, type,
    response: {
      clientDataJSON: encode(response.clientDataJSON), authenticatorData: encode(response.authenticatorData),
      signature: encode(response.signature), userHandle: response.userHandle ? encode(response.userHandle) : null,
    },
  };
}

async function registration(form) {
  const asked = await options(form, "/oauth/passkey/add/options");
  const { id, type, response } = await navigator.credentials.create({
    publicKey: {
      ...asked, challenge: decode(asked.challenge), user: { ...asked.user, id: decode(asked.user.id) },
      excludeCredentials: asked.excludeCredentials.map((one) => ({ ...one, id: decode(one.id) })),
    },
  });
  return {
    id, type,
    response: { clientDataJSON: encode(response.clientDataJSON), attestationObject: encode(response.attestationObject) },
  };
}

function attach(form, ask) {
  if (!form) return;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector("[role=alert]");
    problem.hidden = true;
    try {
      form.elements.credential.value = JSON.stringify(await ask(form));
      form.submit();
    } catch {
      problem.textContent = form.dataset.failed;
      problem.hidden = false;
    }
  });
}

if (window.PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname)) {
  attach(document.getElementById("passkey-form"), assertion);
  attach(document.getElementById("passkey-add"), registration);
}
