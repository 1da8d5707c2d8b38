
# --- For the clients alone; appended to examples/stack.hcl ---------------------------------------------

azure_queue "clients" {
  name = "client-events"
}

azure_event_subscription "clients" {
  container = azure_container.market
  queue     = azure_queue.clients
  prefix    = "client-events/"
}
