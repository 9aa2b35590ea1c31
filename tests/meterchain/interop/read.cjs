// node read.cjs LIBRARY < cases.json: what a TypeScript client makes of our IDLs.
//   in   {idls: {program: idl}, instructions: [{program, name, args}], accounts: [{program, type, data}], events: [{program, data}]}
//   out  {instructions: [hex], accounts: [fields], events: [{name, data}]}; numbers as decimal strings, keys as base58
"use strict";
const anchor = require(process.argv[2]);
const { BN, Program, web3 } = anchor;

const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const provider = { connection: new web3.Connection("http://127.0.0.1:1") }; // never asked
const coders = Object.fromEntries(
  Object.entries(cases.idls).map(([name, idl]) => [name, new Program(idl, provider).coder]),
);

function typed(value) {
  if (Array.isArray(value)) return value.map(typed);
  if (value === null || typeof value !== "object") return value;
  if ("bn" in value) return new BN(value.bn);
  if ("key" in value) return new web3.PublicKey(value.key);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, typed(inner)]));
}

function plain(value) {
  if (BN.isBN(value) || typeof value === "number") return value.toString();
  if (value instanceof web3.PublicKey) return value.toBase58();
  if (Array.isArray(value) || value instanceof Uint8Array) return Array.from(value, plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

const read = {
  instructions: cases.instructions.map(({ program, name, args }) =>
    coders[program].instruction.encode(name, typed(args)).toString("hex"),
  ),
  accounts: cases.accounts.map(({ program, type, data }) =>
    plain(coders[program].accounts.decode(type, Buffer.from(data, "hex"))),
  ),
  events: cases.events.map(({ program, data }) => {
    const event = coders[program].events.decode(data);
    return { name: event.name, data: plain(event.data) };
  }),
};
process.stdout.write(JSON.stringify(read));
