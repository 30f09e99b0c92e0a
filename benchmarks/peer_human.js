// @vladmandic/human on pictures that are handed to it raw (RGB): its face detector, mesh and emotion, nothing else.
// A line of JSON in ({count}), a line out; see benchmarks/peer_work.py.
const fs = require('fs');
const http = require('http');
const path = require('path');
const readline = require('readline');

const [folder, file, width, height] = process.argv.slice(2);
const modules = path.join(folder, 'node_modules');
const said = console.log;
console.log = () => {};
// Node's fetch reads no files, so the models are handed over on this machine's own address
const models = path.join(modules, '@vladmandic/human/models');
const server = http.createServer((asked, answer) => {
  fs.createReadStream(path.join(models, path.basename(asked.url))).on('error', () => answer.writeHead(404).end()).pipe(answer);
});

async function main() {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  require(path.join(modules, '@tensorflow/tfjs'));
  const wasm = require(path.join(modules, '@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
  const { Human } = require(path.join(modules, '@vladmandic/human/dist/human.node-wasm.js'));
  const off = { enabled: false };
  const human = new Human({
    backend: 'wasm',
    wasmPath: path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'),
    modelBasePath: `http://127.0.0.1:${server.address().port}/`,
    cacheSensitivity: 0,
    debug: false,
    filter: off,
    face: { enabled: true, detector: { maxDetected: 2, rotation: false }, mesh: { enabled: true }, iris: off,
      emotion: { enabled: true }, description: off, antispoof: off, liveness: off },
    body: off, hand: off, object: off, segmentation: off, gesture: off,
  });
  await human.load();
  const bytes = width * height * 3;
  const pictures = fs.readFileSync(file);
  let next = 0;
  const look = async () => {
    const at = next * bytes;
    next = (next + 1) % (pictures.length / bytes);
    const tensor = human.tf.tensor(Uint8Array.from(pictures.subarray(at, at + bytes)), [1, +height, +width, 3], 'float32');
    const found = await human.detect(tensor);
    human.tf.dispose(tensor);
    if (found.error) throw new Error(found.error);
    return found.face.length > 0;
  };
  await look();
  said(JSON.stringify({ ready: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { count } = JSON.parse(line);
    const [before, began] = [process.cpuUsage(), process.hrtime.bigint()];
    let faces = 0;
    for (let number = 0; number < count; number += 1) faces += await look();
    const used = process.cpuUsage(before);
    said(JSON.stringify({ cpu_s: (used.user + used.system) / 1e6, wall_s: Number(process.hrtime.bigint() - began) / 1e9, faces }));
  }
  process.exit(0);
}

main().catch((error) => { process.stderr.write(`${error.message}\n`); process.exit(1); });
