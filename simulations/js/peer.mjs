// A js-libp2p peer in the mesh. Reads commands from stdin, one JSON object a line, writes events to stdout.
// dial {address}; publish {size, count, tag}; stats. Refuses anything but TCP, Noise, Yamux and Gossipsub.
import './polyfill.mjs'
import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const topic = process.argv[2]
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n')
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub({ globalSignaturePolicy: 'StrictSign', heartbeatInterval: 500, allowPublishToZeroTopicPeers: true })
  }
})
const { pubsub } = node.services
const heard = []
pubsub.addEventListener('message', ({ detail }) => {
  if (detail.topic === topic) heard.push(createHash('sha256').update(detail.data).digest('hex').slice(0, 16))
})
pubsub.subscribe(topic)
say({ event: 'ready', addresses: node.getMultiaddrs().map(String), id: node.peerId.toString() })

const act = {
  dial: async ({ address }) => { await node.dial(multiaddr(address)); return {} },
  publish: async ({ size, count, tag }) => {
    const digests = []
    for (let n = 0; n < count; n++) {
      const data = Buffer.concat([Buffer.from(tag), randomBytes(size - tag.length)])
      digests.push(createHash('sha256').update(data).digest('hex').slice(0, 16))
      await pubsub.publish(topic, data)
    }
    return { digests }
  },
  stats: async () => ({
    heard,
    peers: node.getPeers().map(String),
    mesh: pubsub.getMeshPeers(topic),
    cpu_ms: (({ user, system }) => (user + system) / 1000)(process.cpuUsage())
  })
}
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    say({ event: command.do, ...await act[command.do](command) })
  } catch (error) {
    say({ event: command.do, error: String(error?.stack ?? error) })
  }
}
await node.stop()
