// A third opener of byte format v1, for Node.js: what a reviewer runs beside the other
// two. Reads one JSON object from standard input, prints the API key.
import { createDecipheriv, createHash, hkdfSync, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

function encode(...parts) {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(parts.length);
  const prefixed = parts.flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return Buffer.concat([count, ...prefixed]);
}

function takeApart(blob) {
  const header = blob.subarray(0, 6);
  const isLocal = header[1] === 1;
  const length = isLocal ? 32 : blob.readUInt16BE(6);
  const start = isLocal ? 6 : 8;
  const at = (from, to) => blob.subarray(start + length + from, to && start + length + to);
  return {
    header,
    wrap: blob.subarray(start, start + length),
    commitment: at(0, 32),
    nonce: at(32, 44),
    ciphertext: blob.subarray(start + length + 44, -16),
    tag: blob.subarray(-16),
  };
}

function open(blob, secret, context) {
  const { header, wrap, commitment, nonce, ciphertext, tag } = takeApart(blob);
  const bound = context.map((part) => Buffer.from(part, "utf8"));
  const salt = header[1] === 1 ? wrap : createHash("sha256").update(wrap).digest();
  const info = encode(Buffer.from("flask-byok/v1/derive"), header, ...bound);
  const okm = Buffer.from(hkdfSync("sha256", secret, salt, info, 64));

  if (!timingSafeEqual(okm.subarray(32), commitment)) {
    throw new Error("wrong_key_or_context");
  }

  const label = Buffer.from("flask-byok/v1/aad");
  const decipher = createDecipheriv("aes-256-gcm", okm.subarray(0, 32), nonce);
  decipher.setAAD(encode(label, header, wrap, commitment, ...bound));
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("ascii");
}

// "context": purpose, namespace, company, provider, record. The rest is hex.
const { blob, secret, context } = JSON.parse(readFileSync(0, "utf8"));
console.log(open(Buffer.from(blob, "hex"), Buffer.from(secret, "hex"), context));
