import { Hono } from 'hono'
import { type Served, serveApp } from '../serve-app.ts'

const books = [
  { sku: 'b-1', title: 'The Art of the Gate', price: '19.90' },
  { sku: 'b-2', title: 'Castles and Their Doors', price: '34.00' },
  { sku: 'b-3', title: 'A Short History of Portcullises', price: '12.50' },
]

/** The shop's Catalog: a plain HTTP service of the mesh. */
export async function startCatalog(port: number): Promise<Served> {
  const app = new Hono()
  app.get('/catalog/books', (c) => c.json({ books }))
  app.get('/catalog/books/:sku', (c) => {
    const book = books.find((one) => one.sku === c.req.param('sku'))
    return book === undefined ? c.json({ error: 'no such book' }, 404) : c.json(book)
  })
  /** What the service was sent: shows what the gateway adds and what it takes away. */
  app.get('/catalog/echo', (c) => c.json({ path: c.req.path, headers: c.req.header() }))
  return await serveApp(app, port)
}
