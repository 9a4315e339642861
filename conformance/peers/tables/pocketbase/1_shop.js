// The collections of the shop, open to everybody, as the routes of the others are.
migrate((app) => {
  const open = { listRule: "", viewRule: "", createRule: "" };
  const customers = new Collection({
    type: "base", name: "customers", ...open,
    fields: [
      { type: "text", name: "name", required: true },
      { type: "text", name: "email", required: true },
      { type: "text", name: "city", required: true },
    ],
  });
  app.save(customers);
  const orders = new Collection({
    type: "base", name: "orders", ...open,
    fields: [
      { type: "relation", name: "customer", collectionId: customers.id, required: true, maxSelect: 1 },
      { type: "text", name: "status", required: true },
      { type: "number", name: "total_cents", onlyInt: true },
      { type: "text", name: "placed_on" },
      { type: "text", name: "note" },
    ],
    indexes: ["CREATE INDEX orders_of_customer ON orders (customer, id)"],
  });
  app.save(orders);
  const lines = new Collection({
    type: "base", name: "lines", ...open,
    fields: [
      { type: "relation", name: "order", collectionId: orders.id, required: true, maxSelect: 1 },
      { type: "text", name: "product", required: true },
      { type: "number", name: "quantity", onlyInt: true },
      { type: "number", name: "price_cents", onlyInt: true },
    ],
    indexes: ["CREATE INDEX lines_of_order ON lines (`order`)"],
  });
  app.save(lines);
});
