/**
 * Serves the page with the mock interface behind it.
 *
 *   node dev/serve.mjs [--port 7499] [--built]
 *
 * Without `--built` the page comes from Vite and changes as its source does; with it, from `dist/`,
 * under the same content security policy as the real server's. `POST /mock/one-down`, `/mock/in-doubt`,
 * `/mock/catching-up`, `/mock/damaged`, `/mock/needs-recovery`, `/mock/coordinator-down` and `/mock/well` put the
 * cluster into a state to look at.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mockApi } from './mock/api.mjs'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Starts a server on the port (0: any free one); gives its address and a way to stop it. */
export async function serve({ port = 0, built = true, books } = {}) {
  const api = mockApi(books)
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost')
    if (url.pathname.startsWith('/mock/')) {
      api.scenario(url.pathname.slice('/mock/'.length))
      return response.writeHead(204).end()
    }
    if (url.pathname.startsWith('/api/v1/')) {
      return void api.answer(request, response, url).catch((error) => {
        console.error(error)
        response.writeHead(500).end()
      })
    }
    page.middleware(request, response)
  })
  const page = built ? { middleware: sendBuilt, close: async () => {} } : await vitePage(server)
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      server.closeAllConnections()
      await Promise.all([page.close(), new Promise((resolve) => server.close(resolve))])
    },
  }
}

async function sendBuilt(request, response) {
  const path = normalize(new URL(request.url, 'http://localhost').pathname)
  // Addresses without an ending are pages, and the page finds its way by itself.
  const file = extname(path) ? path : '/index.html'
  try {
    const body = await readFile(join(DIST, file))
    const headers = { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }
    response.writeHead(200, { ...headers, 'Content-Security-Policy': POLICY }).end(body)
  } catch {
    response.writeHead(404).end()
  }
}

async function vitePage(server) {
  const { createServer: createVite } = await import('vite')
  const vite = await createVite({
    server: { middlewareMode: true, proxy: {}, ws: { server } },
    appType: 'spa',
  })
  return { middleware: vite.middlewares, close: () => vite.close() }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '7499' },
      built: { type: 'boolean', default: false },
    },
  })
  const { address } = await serve({ port: Number(values.port), built: values.built })
  console.log(`The page with mock data: ${address} (Ctrl-C stops it)`)
}
