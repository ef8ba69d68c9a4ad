// The independent partner of our reconciliation dialogues: one JSON request a line, one JSON answer a line.
// {"cmd":"open","items":[[timestamp,hexId],...],"frame":bytes}   -> {"ok":true}
// {"cmd":"initiate"}                                              -> {"message":hex}
// {"cmd":"reconcile","message":hex}                               -> {"message":hex|null,"have":[hex],"need":[hex]}
// Its integers have 32 bits: timestamps stay below 2^31.
import { register } from "node:module";
import { createInterface } from "node:readline";

// The package imports its application framework for parts we do not use: answer with names alone.
const names = [
  "NDKRelaySet", "NDKSubscriptionCacheUsage", "NDKEvent", "NDKRelay", "NDKKind", "NDKRelayStatus",
  "fetchRelayInformation", "normalizeRelayUrl", "NDKSubscription",
];
const stub = "data:text/javascript," + encodeURIComponent(names.map((n) => `export const ${n} = null;`).join(""));
const hook = `export async function resolve(specifier, context, next) {
  return specifier === "@nostr-dev-kit/ndk" ? { url: ${JSON.stringify(stub)}, shortCircuit: true } : next(specifier, context);
}`;
register("data:text/javascript," + encodeURIComponent(hook));
const { Negentropy, NegentropyStorage, uint8ArrayToHex, hexToUint8Array } = await import("@nostr-dev-kit/sync");

let partner = null;

async function answer(request) {
  if (request.cmd === "open") {
    const storage = new NegentropyStorage();
    for (const [timestamp, id] of request.items) storage.insert(timestamp, id);
    storage.seal();
    partner = new Negentropy(storage, request.frame);
    return { ok: true };
  }
  if (request.cmd === "initiate") return { message: uint8ArrayToHex(await partner.initiate()) };
  const { nextMessage, have, need } = await partner.reconcile(hexToUint8Array(request.message));
  return {
    message: nextMessage === undefined ? null : uint8ArrayToHex(nextMessage),
    have: have.map(uint8ArrayToHex),
    need: need.map(uint8ArrayToHex),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = await answer(JSON.parse(line));
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
