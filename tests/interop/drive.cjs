// node drive.cjs LIBRARY IDL_FOLDER RPC < order.json: drives our programs with a TypeScript client, IDLs unmodified.
//   order   {wallet: [64 numbers], domain: hex, meter: "METER_901"}; the wallet may upgrade the programs
//   prints  {did: [what was proved], meter, owner, signature: {...}} or ends with 1 and says on stderr what was not so
// What an IDL resolves (PDAs, fixed addresses, signers) is left out here on purpose.
"use strict";
const assert = require("assert");
const fs = require("fs");
const path = require("path");
const anchor = require(process.argv[2]);
const { AnchorError, AnchorProvider, BN, EventParser, Program, Wallet, web3 } = anchor;
const { Connection, Ed25519Program, Keypair, PublicKey, TransactionInstruction } = web3;
const [folder, url] = process.argv.slice(3);

const TOKEN = new PublicKey("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
const ASSOCIATED = new PublicKey("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
const KWH = 1_000_000; // mWh
const SLOT_S = 900;

const order = JSON.parse(fs.readFileSync(0, "utf8"));
const domain = Buffer.from(order.domain, "hex");
const authority = Keypair.fromSecretKey(Uint8Array.from(order.wallet));
const connection = new Connection(url, "confirmed");

// As AnchorProvider, but it asks whether a transaction has landed: notifications get lost where blocks last 20 ms.
class AskingProvider extends AnchorProvider {
  async sendAndConfirm(transaction, signers = []) {
    transaction.feePayer = authority.publicKey;
    transaction.recentBlockhash = (await connection.getLatestBlockhash("confirmed")).blockhash;
    transaction.sign(authority, ...signers);
    const signature = await connection.sendRawTransaction(transaction.serialize(), { preflightCommitment: "confirmed" });
    for (let tries = 0; tries < 300; tries++) {
      const { value } = await connection.getSignatureStatuses([signature]);
      if (value[0]?.err) throw new Error(`${signature}: ${JSON.stringify(value[0].err)}`);
      if (["confirmed", "finalized"].includes(value[0]?.confirmationStatus)) return signature;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`${signature} was not confirmed in 30 s`);
  }
}
const provider = new AskingProvider(connection, new Wallet(authority), { commitment: "confirmed" });
const load = (name) => new Program(JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`), "utf8")), provider);
const governance = load("governance");
const registry = load("registry");
const oracle = load("oracle");
const token = load("energy_token");
const trading = load("trading");
const did = [];

const bytes = (text, size) => Array.from(Buffer.concat([Buffer.from(text), Buffer.alloc(size)]).subarray(0, size));
const find = (program, ...seeds) => PublicKey.findProgramAddressSync(seeds, program.programId)[0];
const sha256 = (data) => require("crypto").createHash("sha256").update(data).digest();
const exists = async (address) => (await connection.getAccountInfo(address)) !== null;

async function events(program, signature) {
  const found = await connection.getTransaction(signature, { commitment: "confirmed", maxSupportedTransactionVersion: 0 });
  return [...new EventParser(program.programId, program.coder).parseLogs(found.meta.logMessages)];
}

// 0.32.1's EventParser does not see events of a program that another one called; its decoder reads them all the same.
async function nested(program, signature) {
  const found = await connection.getTransaction(signature, { commitment: "confirmed", maxSupportedTransactionVersion: 0 });
  const lines = found.meta.logMessages.filter((line) => line.startsWith("Program data: "));
  return lines.map((line) => program.coder.events.decode(line.slice("Program data: ".length))).filter(Boolean);
}

async function refused(call, code, program) {
  const error = await call.rpc().then(() => null, (error) => error);
  assert(error instanceof AnchorError, `${code} was wanted, this came: ${error}`);
  assert.strictEqual(error.error.errorCode.code, code);
  assert.strictEqual(error.program.toBase58(), program.programId.toBase58());
  did.push(`${code} by its name`);
}

async function initialise() {
  const config = find(governance, Buffer.from("governance"));
  if (!(await exists(config))) {
    const nobody = PublicKey.default;
    await governance.methods.initializeGovernance(authority.publicKey, nobody, nobody, bytes("interop", 32)).rpc();
    await registry.methods.initializeRegistry(bytes("Building 4", 64), Array.from(domain)).rpc();
    await token.methods.initializeToken(bytes("Engineering GRID", 32), bytes("ENG_GRID", 16)).rpc();
    await oracle.methods.initializeOracle(bytes("", 64)).rpc();
    did.push("initialisers with nothing but arguments");
  }
  const read = await governance.account.governanceConfig.fetch(config);
  assert(read.engineeringAuthority.equals(authority.publicKey));
  assert.strictEqual(read.systemParameters[0].toNumber(), SLOT_S);
  did.push("GovernanceConfig");
}

async function govern() {
  const most = 11 + Math.floor(Math.random() * 5);
  const signature = await governance.methods.updateParameters(Buffer.from([2]), [new BN(most * 10)]).rpc();
  const [event] = await events(governance, signature);
  assert.strictEqual(event.name, "parameterUpdated");
  assert.strictEqual(event.data.new.toNumber(), most * 10);
  const status = await governance.methods.getStatus().view();
  assert.strictEqual(status.pauseMask, 0);
  assert(status.paramsNonce.toNumber() >= 1);
  await refused(governance.methods.emergencyPause(1 << 6, 0), "BadMask", governance);
  did.push("ParameterUpdated", "get_status as a view");
  await oracle.methods.setActive(1).accounts({ authority: authority.publicKey }).rpc();
}

async function register(owner) {
  const call = registry.methods.registerUser(0, 1, bytes("Lab 2", 32), bytes("", 32)).accounts({ wallet: owner });
  const { user } = await call.pubkeys();
  assert(user.equals(find(registry, Buffer.from("user"), owner.toBuffer())));
  const [event] = await events(registry, await call.rpc());
  assert.strictEqual(event.name, "userRegistered");
  assert(event.data.wallet.equals(owner));
  const read = await registry.account.user.fetch(user);
  assert(read.wallet.equals(owner) && read.role === 1 && read.status === 0);
  const verified = await registry.methods.verifyUser(owner).accounts({ user }).view();
  assert.strictEqual(verified.status, 0);
  assert((await registry.account.user.all()).some(({ publicKey }) => publicKey.equals(user)));
  const stranger = Keypair.generate();
  await refused(
    registry.methods.setUserStatus(2).accounts({ authority: stranger.publicKey, user }).signers([stranger]),
    "Unauthorized", registry,
  );
  did.push("UserRegistered", "a PDA seeded by an account", "User, by fetch and by all", "verify_user as a view");
  return user;
}

async function assign(owner, user, key) {
  const serial = bytes(order.meter, 24), model = bytes("sdm120", 16);
  const serialIndex = find(registry, Buffer.from("serial"), sha256(Buffer.from([...model, ...serial])));
  const install = Buffer.from([1, 0, 0, 0]);
  const meterId = bytes(order.meter, 16);
  const message = Buffer.concat([Buffer.from("GMRPOP1\0"), domain, Buffer.from(meterId), owner.toBuffer(), install]);
  const limits = { maxExportW: 5000, maxImportW: 10000, resolutionMwh: 1000 };
  const call = (possession) =>
    registry.methods
      .assignMeter(meterId, 0, key.publicKey, limits, new BN(0), new BN(5 * KWH), new BN(7 * KWH), serial, model,
        bytes("Building 4", 32), bytes("", 32))
      .accounts({ user, serialIndex })
      .preInstructions(possession);
  await refused(call([]), "BadProofOfPossession", registry);
  const proof = Ed25519Program.createInstructionWithPrivateKey({ privateKey: key.secretKey, message });
  const { meter } = await call([proof]).pubkeys();
  await call([proof]).rpc();
  const read = await registry.account.meter.fetch(meter);
  assert(read.meterKey.equals(key.publicKey) && read.owner.equals(owner));
  assert.strictEqual(read.baselineExportMwh.toString(), String(5 * KWH));
  const opening = oracle.methods.initMeterState().accounts({ meter });
  const { meterState } = await opening.pubkeys();
  await opening.rpc();
  did.push("a PDA seeded by an argument", "Meter", "a proof of possession");
  return { meter, meterState, baseline: read.baselineTs.toNumber() };
}

function record(slot) {
  const raw = Buffer.alloc(96);
  raw.write("GMR1", 0);
  raw[4] = 1;
  raw.write("S", 5);
  domain.copy(raw, 8);
  raw.write(order.meter, 16);
  raw.writeUInt32LE(1, 32);
  raw.write("P", 36);
  raw.writeBigUInt64LE(1n, 40);
  raw.writeBigInt64LE(BigInt(slot), 48);
  raw.writeBigInt64LE(BigInt(slot + SLOT_S), 56);
  raw.writeBigUInt64LE(BigInt(5 * KWH + 500), 64); // a slot may have only just begun: little energy is plausible
  raw.writeBigUInt64LE(BigInt(7 * KWH + 250), 72);
  return raw;
}

function precompile(key, signed) {
  const signature = require("crypto").sign(null, signed, {
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(key.secretKey.slice(0, 32))]),
    format: "der", type: "pkcs8",
  });
  const head = Buffer.alloc(16);
  head[0] = 1;
  [48, 0xffff, 16, 0xffff, 13, 96, 1].forEach((value, at) => head.writeUInt16LE(value, 2 + 2 * at));
  const data = Buffer.concat([head, key.publicKey.toBuffer(), signature]);
  return new TransactionInstruction({ keys: [], programId: Ed25519Program.programId, data });
}

async function measure(owner, user, key, place) {
  const slot = Math.ceil((place.baseline + 60) / SLOT_S) * SLOT_S;
  const at = (slot + SLOT_S + 5) * 1000;
  const travelled = await fetch(url, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "surfnet_timeTravel", params: [{ absoluteTimestamp: at }] }),
  }).then((answer) => answer.json());
  assert(!travelled.error, JSON.stringify(travelled.error));
  const reading = record(slot);
  const { config, governance: gov } = { config: find(oracle, Buffer.from("oracle")), governance: find(governance, Buffer.from("governance")) };
  const submit = (before) =>
    oracle.methods.submitMeterData(0, [Array.from(reading)])
      .accounts({ config, governance: gov, meter: place.meter, meterState: place.meterState })
      .preInstructions(before);
  await refused(submit([]), "SignatureMissing", oracle);
  const [accepted] = await events(oracle, await submit([precompile(key, reading)]).rpc());
  assert.strictEqual(accepted.name, "meterReadingAccepted");
  const state = await oracle.account.meterState.fetch(place.meterState);
  assert.strictEqual(state.cumExportMwh.toString(), "500");
  assert(Buffer.from(state.lastDigest).equals(sha256(reading)));
  const mint = find(token, Buffer.from("grid_mint"));
  const [tokenAccount, bump] = PublicKey.findProgramAddressSync([owner.toBuffer(), TOKEN.toBuffer(), mint.toBuffer()], ASSOCIATED);
  await token.methods.createAssociatedTokenAccount().accounts({ wallet: owner, user, tokenAccount }).rpc();
  const processed = await oracle.methods.processEnergyData(bump)
    .accounts({ meterState: place.meterState, meter: place.meter, user, tokenAccount }).rpc();
  const [minted] = await nested(token, processed);
  assert.strictEqual(minted.name, "tokensMinted");
  assert.strictEqual(minted.data.amount.toString(), "500000");
  assert.strictEqual((await connection.getTokenAccountBalance(tokenAccount)).value.amount, "500000");
  did.push("MeterReadingAccepted", "TokensMinted by a CPI", "MeterState");
  return reading.toString("hex");
}

async function trade(user) {
  const [absent, seats] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
  const call = trading.methods.openSeat().accounts({ user, market: absent, seats });
  const { seatIndex } = await call.pubkeys();
  assert(seatIndex.equals(find(trading, Buffer.from("seat"), absent.toBuffer(), authority.publicKey.toBuffer())));
  await assert.rejects(call.rpc(), /account data too small/, "there is no market");
  assert.deepStrictEqual(await trading.account.market.all(), []);
  did.push("a PDA seeded by two accounts");
}

async function main() {
  const owner = Keypair.generate().publicKey, key = Keypair.generate();
  await initialise();
  await govern();
  const user = await register(owner);
  const place = await assign(owner, user, key);
  const reading = await measure(owner, user, key, place);
  await trade(user);
  process.stdout.write(JSON.stringify({ did, meter: order.meter, owner: owner.toBase58(), key: key.publicKey.toBase58(), reading }));
}

main().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack}\n${(error.logs || []).join("\n")}\n`);
  process.exit(1);
});
