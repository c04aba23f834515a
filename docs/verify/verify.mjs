// Is this webhook from Quittance? Node 18 or later; nothing to install.
//
// `headers` is request.headers, whose names are in lower case; `body` is the raw body as a Buffer,
// before anything parses it (in Express: express.raw({ type: "application/json" })).
// Both functions answer true or false.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

// Standard Webhooks. `secret` is the endpoint's own and begins with whsec_.
export function checkStandard(secret, headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!isRecent(timestamp, 300)) return false;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
  const wanted = "v1," + hmac.digest("base64");
  // There are two while a secret is being replaced: one that fits is enough.
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return given.some((signature) => isSame(wanted, signature));
}

// CCPayment-compatible (V1). Answer 200 with the body: Success
export function checkCcpayment(appId, secret, headers, body) {
  const timestamp = headers["timestamp"] ?? "";
  if (headers["appid"] !== appId || !isRecent(timestamp, 120)) return false;
  const hash = createHash("sha256").update(appId + secret + timestamp).update(body);
  return isSame(hash.digest("hex"), headers["sign"] ?? "");
}

// What is older, or from the future, may be somebody's replay.
function isRecent(timestamp, seconds) {
  return /^[0-9]+$/.test(timestamp) && Math.abs(Date.now() / 1000 - Number(timestamp)) <= seconds;
}

function isSame(wanted, given) {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
