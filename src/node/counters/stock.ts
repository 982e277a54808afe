/** How long points that an instance took in advance may be spent. Milliseconds. */
export const stockMs = 250
