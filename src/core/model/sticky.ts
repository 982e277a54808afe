/** What keeps a downstream on one side of a split. */
export type Sticky =
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'client' }
