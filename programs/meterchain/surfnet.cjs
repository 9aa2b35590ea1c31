// Starts Surfnet offline on fixed ports: node surfnet.cjs MODULE PORT SLOT_MS BLOCKS
//   MODULE   the native module of @solana/surfpool-*      PORT      RPC; the websocket gets PORT + 1
//   SLOT_MS  milliseconds a slot                          BLOCKS    clock | transaction | manual
// Prints one line of JSON ("ready": true) when it listens.  Ends on SIGTERM, on SIGINT, or when its stdin is closed,
// so that it never outlives whoever started it.
"use strict";
const net = require("net");

const [module_, port, slotMs, blocks] = process.argv.slice(2);
const { Surfnet } = require(module_);
const surfnet = Surfnet.startWithConfig({
  offline: true,
  blockProductionMode: blocks,
  slotTimeMs: Number(slotMs),
});

// The module chooses random ports.
function forward(url, from) {
  const to = Number(new URL(url).port);
  return new Promise((listening, failed) => {
    const server = net.createServer((client) => {
      const upstream = net.connect(to, "127.0.0.1");
      const end = () => {
        client.destroy();
        upstream.destroy();
      };
      for (const side of [client, upstream]) {
        side.setNoDelay(true);
        side.on("error", end);
        side.on("close", end);
      }
      client.pipe(upstream);
      upstream.pipe(client);
    });
    server.on("error", failed);
    server.listen(from, "127.0.0.1", listening);
  });
}

function stop() {
  try {
    surfnet.stop();
  } finally {
    process.exit(0);
  }
}

process.on("SIGTERM", stop);
process.on("SIGINT", stop);
process.stdin.on("end", stop);
process.stdin.resume();
setInterval(() => surfnet.drainEvents(), 1000); // they would pile up

Promise.all([forward(surfnet.rpcUrl, Number(port)), forward(surfnet.wsUrl, Number(port) + 1)]).then(
  () => process.stdout.write(JSON.stringify({ ready: true }) + "\n"),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
