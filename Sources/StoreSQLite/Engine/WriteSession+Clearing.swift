import NGSI
import Store

// Taking all away that a tenant has, in steps that hold up nobody for long.

extension WriteSession {
  func clear(_ tenant: Tenant, atMost limit: Int) throws -> Bool {
    guard let number = try number(of: tenant) else { return true }
    var left = limit
    for key in try keys(.keysInTenant, { $0.bind(1, number).bind(2, 0).bind(3, left) }) {
      left -= 1
      guard let entity = try found(key: key, { try $0.whole() }) else { continue }
      try willChange()
      try remove(entity, key: key, tenant: number)
    }
    for key in try keys(.evolutionsInTenant, { $0.bind(1, number).bind(2, 0).bind(3, left) }) {
      left -= 1
      let statement = try connection.statement(.evolutionByKey).bind(1, key)
      let id = try statement.step() ? statement.text(0) : nil
      statement.reset()
      if let id { _ = try deleteHistory(of: id, in: tenant) }
    }
    guard left > 0 else { return false }
    try willChange()
    try connection.statement(.deleteDocuments).bind(1, number).bind(2, left).run()
    return connection.lastChanges < left
  }
}
