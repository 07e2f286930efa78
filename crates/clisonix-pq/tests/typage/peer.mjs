// Seals and opens age files with typage: one JSON job a line on stdin,
//   {"do": "seal", "in": PATH, "out": PATH, "keys": ["age1pq1..."]}
//   {"do": "open", "in": PATH, "out": PATH, "keys": ["AGE-SECRET-KEY-PQ-1..."]}
// one line with the milliseconds it took on stdout. Any error ends the program.
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { performance } from "node:perf_hooks";
import { Decrypter, Encrypter } from "age-encryption";

async function seal(bytes, keys) {
  const encrypter = new Encrypter();
  keys.forEach((key) => encrypter.addRecipient(key));
  return encrypter.encrypt(bytes);
}

async function open(bytes, keys) {
  const decrypter = new Decrypter();
  keys.forEach((key) => decrypter.addIdentity(key));
  return decrypter.decrypt(bytes);
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const bytes = new Uint8Array(await readFile(job.in));
  const start = performance.now();
  const result = await (job.do === "seal" ? seal : open)(bytes, job.keys);
  const elapsed = performance.now() - start;
  await writeFile(job.out, result);
  console.log(elapsed.toFixed(3));
}
