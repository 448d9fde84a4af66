// The echo endpoint on ws, for Node.js.
const fs = require('node:fs');
const https = require('node:https');
const { parseArgs } = require('node:util');

// Debian's modules, which a Node.js of another origin does not look for.
module.paths.push('/usr/share/nodejs');
const { WebSocketServer } = require('ws');
const { version } = require('ws/package.json');

const { values } = parseArgs({
  options: { certificate: { type: 'string' }, key: { type: 'string' }, port: { type: 'string', default: '0' } },
});
const server = https.createServer({
  cert: fs.readFileSync(values.certificate),
  key: fs.readFileSync(values.key),
  minVersion: 'TLSv1.3',
});
new WebSocketServer({ server, path: '/echo' }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address();
  console.log(JSON.stringify({ ready: true, port, package: 'ws', version, transports: ['ws'] }));
});
process.stdin.on('end', () => process.kill(process.pid)).resume();
