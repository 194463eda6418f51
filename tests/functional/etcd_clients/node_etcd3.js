// node node_etcd3.js ENDPOINT,... CA CERT KEY [failover]: what npm's etcd3 offers, against one or several members. Prints `ok NAME`
// for each case and ends with 1 at the first that fails. With `failover` it puts and watches until its standard input ends,
// and says what was acknowledged and what the watcher saw (a put that was tried twice may be seen twice).
'use strict';
const assert = require('assert');
const fs = require('fs');
const { Etcd3, EtcdLockFailedError } = require('etcd3');

const [endpoints, ca, cert, key, mode] = process.argv.slice(2);
const client = () => new Etcd3({
  hosts: endpoints.split(',').map((e) => `https://${e}`),
  credentials: { rootCertificate: fs.readFileSync(ca), certChain: fs.readFileSync(cert), privateKey: fs.readFileSync(key) },
});
const within = (what, promise, ms = 15000) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const cases = {
  async basics(c) {
    await c.put('js/a').value('1');
    assert.strictEqual(await c.get('js/a').string(), '1');
    assert.strictEqual(await c.get('js/none').string(), null);
    await c.put('js/b').value(Buffer.from([0, 255]));
    assert.deepStrictEqual(await c.get('js/b').buffer(), Buffer.from([0, 255]));
    await c.put('js/c').value(42);
    assert.strictEqual(await c.get('js/c').number(), 42);
    assert.deepStrictEqual(await c.getAll().prefix('js/').keys(), ['js/a', 'js/b', 'js/c']);
    assert.strictEqual(await c.getAll().prefix('js/').count(), 3);
    assert.deepStrictEqual(await c.getAll().prefix('js/').sort('Key', 'Descend').limit(1).keys(), ['js/c']);
    assert.deepStrictEqual(Object.keys(await c.getAll().inRange({ start: 'js/a', end: 'js/c' }).strings()), ['js/a', 'js/b']);
    assert.strictEqual((await c.put('js/a').value('2').getPrevious()).value.toString(), '1');
    await c.put('js/a').touch();
    assert.strictEqual(await c.get('js/a').serializable(true).string(), '2');
    const revision = (await c.get('js/a').exec()).kvs[0].mod_revision;
    await c.put('js/a').value('3');
    assert.strictEqual(await c.get('js/a').revision(revision).string(), '2');
    const space = c.namespace('js/space/');
    await space.put('x').value('y');
    assert.strictEqual(await c.get('js/space/x').string(), 'y');
    assert.deepStrictEqual(await space.getAll().keys(), ['x']);
    assert.strictEqual((await c.delete().key('js/none').exec()).deleted, '0');
    assert.strictEqual((await c.delete().prefix('js/').exec()).deleted, '4');
  },

  async transactions(c) {
    await c.put('js/t').value('old');
    let done = await c.if('js/t', 'Value', '==', 'old').and('js/none', 'Create', '==', 0)
      .then(c.put('js/t').value('new'), c.get('js/t')).else(c.delete().key('js/t')).commit();
    assert.strictEqual(done.succeeded, true);
    assert.strictEqual(done.responses[1].response_range.kvs[0].value.toString(), 'new');
    done = await c.if('js/t', 'Version', '>', 7).then(c.get('js/t')).else(c.delete().key('js/t')).commit();
    assert.strictEqual(done.succeeded, false);
    assert.strictEqual(await c.get('js/t').string(), null);
    // Software transactional memory: ten increments at once, none lost.
    await c.put('js/count').value(0);
    await Promise.all(Array.from({ length: 10 }, () => c.stm({ retries: 100 }).transact(
      async (tx) => { await tx.put('js/count').value((await tx.get('js/count').number()) + 1); })));
    assert.strictEqual(await c.get('js/count').number(), 10);
    await c.delete().prefix('js/');
  },

  async watches(c) {
    const watcher = await c.watch().prefix('js/w/').withPreviousKV().create();
    const seen = [];
    const all = new Promise((resolve) => {
      watcher.on('put', (kv, before) => seen.push(`put ${kv.key} ${kv.value} ${before ? before.value : '-'}`));
      watcher.on('delete', (kv, before) => { seen.push(`delete ${kv.key} ${before.value}`); resolve(); });
    });
    await c.put('js/w/1').value('a');
    await c.put('js/w/1').value('b');
    await c.delete().key('js/w/1');
    await within('events', all);
    assert.deepStrictEqual(seen, ['put js/w/1 a -', 'put js/w/1 b a', 'delete js/w/1 b']);
    await watcher.cancel();
    const put = await c.put('js/w/2').value('then');
    await c.put('js/w/2').value('now');
    const past = c.watch().key('js/w/2').startRevision(put.header.revision).watcher();
    const values = [];
    await within('the past', new Promise((resolve) => {
      past.on('put', (kv) => { values.push(kv.value.toString()); if (values.length === 2) resolve(); });
    }));
    assert.deepStrictEqual(values, ['then', 'now']);
    await past.cancel();
    const only = await c.watch().prefix('js/w/').only('delete').create();
    const deleted = within('the deletion', new Promise((resolve) => {
      only.on('put', () => assert.fail('a put')); only.on('delete', resolve);
    }));
    await c.put('js/w/3').value('x');
    await c.delete().key('js/w/3');
    await deleted;
    await only.cancel();
    await c.delete().prefix('js/');
  },

  async leases(c) {
    const lease = c.lease(10);
    await lease.put('js/leased').value('x');
    assert.strictEqual((await c.get('js/leased').exec()).kvs[0].lease, await lease.grant());
    const renewed = within('a renewal', new Promise((resolve) => { lease.on('keepaliveSucceeded', resolve); }));
    await lease.keepaliveOnce();
    await renewed;
    assert.strictEqual((await c.leaseClient.leaseTimeToLive({ ID: await lease.grant(), keys: true })).keys[0].toString(), 'js/leased');
    await lease.revoke();
    assert.strictEqual(await c.get('js/leased').string(), null);
    const gone = await c.watch().key('js/short').only('delete').create();
    const expired = within('the lease runs out', new Promise((resolve) => { gone.on('delete', resolve); }));
    const short = c.lease(1, { autoKeepAlive: false });
    await short.put('js/short').value('x');
    await expired;
    await gone.cancel();
  },

  async locks(c) {
    const first = c.lock('js-lock');
    await first.acquire();
    await assert.rejects(c.lock('js-lock').acquire(), EtcdLockFailedError);
    await first.release();
    assert.strictEqual(await c.lock('js-lock').do(() => 'held'), 'held');
  },

  async elections(c) {
    const election = c.election('js-office', 10);
    const observer = await election.observe();
    const told = within('the leader', new Promise((resolve) => {
      observer.on('change', (value) => { if (value === 'one') resolve(); });
    }));
    const campaign = election.campaign('one');
    await within('election', new Promise((resolve, reject) => { campaign.on('elected', resolve); campaign.on('error', reject); }));
    await told;
    assert.strictEqual(await election.leader(), 'one');
    const second = c.election('js-office', 10).campaign('two');
    const elected = within('succession', new Promise((resolve) => { second.on('elected', resolve); }));
    await campaign.resign();
    await elected;
    await second.resign();
    await observer.cancel();
  },

  async cluster(c) {
    const status = await c.maintenance.status();
    assert.match(status.version, /^3\./);
    const { members } = await c.cluster.memberList({});
    assert.ok(members.some((m) => m.ID === status.leader), 'the leader is a member');
    assert.deepStrictEqual((await c.maintenance.alarm({ action: 'GET', memberID: 0, alarm: 'NOSPACE' })).alarms, []);
    const hash = await c.maintenance.hash().catch((error) => error);
    assert.ok(hash.hash > 0 || /unknown method/.test(hash.message), hash);
  },

  async users(c) {
    const role = c.role('js-role');
    await role.create();
    await role.grant({ permission: 'Readwrite', range: c.range ? c.range({ prefix: 'js/' }) : { start: 'js/', end: 'js0' } });
    const user = c.user('js-user');
    await user.create('secret');
    await user.addRole('js-role');
    assert.deepStrictEqual((await user.roles()).map((r) => r.name), ['js-role']);
    assert.strictEqual((await role.permissions()).length, 1);
    await user.removeRole('js-role');
    await user.delete();
    await role.delete();
    assert.ok(!(await c.getUsers()).some((u) => u.name === 'js-user'));
  },

  async errors(c) {
    await assert.rejects(c.put('').value('x'), /key is not provided/);
    await assert.rejects(c.get('js/a').revision('1000000000000').exec(), /future revision/);
    await assert.rejects(c.leaseClient.leaseRevoke({ ID: '7' }), /lease not found/);
    await assert.rejects(c.kv.compact({ revision: '1000000000000' }), /future revision/);
  },
};

async function failover(c) {
  let ended = false;
  process.stdin.on('end', () => { ended = true; }).resume();
  const watcher = await c.watch().prefix('js/f/').create();
  const seen = [];
  watcher.on('put', (kv) => seen.push(kv.key.toString()));
  const acknowledged = [];
  for (let n = 0; !ended; n += 1) {
    const name = `js/f/${String(n).padStart(6, '0')}`;
    try {
      await within(name, c.put(name).value('x'), 5000);
      acknowledged.push(name);
      if (acknowledged.length % 10 === 0) console.log(`acknowledged ${acknowledged.length}`);
    } catch (error) {
      console.log(`refused ${name}: ${error.message}`);
    }
    await sleep(20);
  }
  const last = acknowledged[acknowledged.length - 1];
  for (let n = 0; n < 300 && !seen.includes(last); n += 1) await sleep(50);
  const set = new Set(seen);
  const lost = acknowledged.filter((name) => !set.has(name));
  const disordered = seen.filter((name, n) => n > 0 && seen[n - 1] > name);
  console.log(JSON.stringify({ acknowledged: acknowledged.length, lost, disordered }));
}

async function main() {
  const c = client();
  if (mode === 'failover') {
    await failover(c);
  } else {
    for (const [name, run] of Object.entries(cases)) {
      await run(c);
      console.log(`ok ${name}`);
    }
  }
  c.close();
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
