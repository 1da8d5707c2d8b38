// What the scripts for Node share: the endpoints of the embedded stack, and checks that print a line each.
import assert from 'node:assert';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export const stack = process.env.MKT_CLIENTS_STACK; // the folder of the stack file that was applied and streamed
export const endpoints = JSON.parse(fs.readFileSync(path.join(stack, '.mkt/local/daemon.json'))).endpoints;
export const topic = 'market_data';
export const require = createRequire(path.join(process.env.MKT_CLIENTS_NODE, 'package.json')); // the packages are not beside the scripts
export const equal = assert.deepStrictEqual;

const client = path.basename(process.argv[1]).replace(/\.mjs$/, '');
let passed = 0;
let failed = 0;

// check runs f; the check passes if it does not throw.
export async function check(what, f) {
  try {
    await f();
    passed++;
    console.log(`ok   ${client}: ${what}`);
  } catch (err) {
    failed++;
    console.log(`FAIL ${client}: ${what}\n${err.stack}`);
  }
}

export function finish() {
  console.log(`${client}: ${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}
