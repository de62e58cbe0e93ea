import NGSI
import Store
import Synchronization

/// The data models of all tenants, as the writer's thread looks them up.
final class ModelBook: Sendable {
  struct Counts: Sendable, Hashable {
    /// Entities that were judged since the hub started, and those among them that did not meet the model.
    var judged = 0
    var failed = 0
  }

  private struct Shelf: Sendable {
    var mode = ValidationMode.warn
    var models: [String: DataModel] = [:]
    var counts: [String: Counts] = [:]
    /// Models whose context could not be had when the hub started, and why.
    var aside: [String: String] = [:]
  }

  private let shelves = Mutex<[Tenant: Shelf]>([:])
  /// Models of all tenants that are judged by: what costs nothing where there are none.
  private let active = Atomic<Int>(0)

  var isEmpty: Bool { active.load(ordering: .acquiring) == 0 }

  private func change(_ tenant: Tenant, _ body: (inout Shelf) -> Void) {
    shelves.withLock { shelves in
      body(&shelves[tenant, default: Shelf()])
      let count = shelves.values.reduce(0) { $0 + ($1.mode == .open ? 0 : $1.models.count) }
      active.store(count, ordering: .releasing)
    }
  }

  func put(_ model: DataModel, in tenant: Tenant) {
    change(tenant) {
      $0.models[model.type] = model
      $0.aside[model.type] = nil
    }
  }

  func putAside(_ type: String, because reason: String, in tenant: Tenant) {
    change(tenant) { $0.aside[type] = reason }
  }

  func remove(_ type: String, in tenant: Tenant) {
    change(tenant) {
      $0.models[type] = nil
      $0.counts[type] = nil
      $0.aside[type] = nil
    }
  }

  func set(_ mode: ValidationMode, in tenant: Tenant) { change(tenant) { $0.mode = mode } }

  func mode(in tenant: Tenant) -> ValidationMode { shelves.withLock { $0[tenant]?.mode ?? .warn } }

  func models(in tenant: Tenant) -> [(model: DataModel, counts: Counts)] {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant] else { return [] }
      return shelf.models.values.sorted { $0.type < $1.type }.map { ($0, shelf.counts[$0.type] ?? Counts()) }
    }
  }

  func model(_ type: String, in tenant: Tenant) -> (model: DataModel, counts: Counts)? {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant], let model = shelf.models[type] else { return nil }
      return (model, shelf.counts[type] ?? Counts())
    }
  }

  func aside(in tenant: Tenant) -> [String: String] { shelves.withLock { $0[tenant]?.aside ?? [:] } }

  /// Tenants with models that wait for their context.
  var tenantsWithAside: [Tenant] { shelves.withLock { $0.filter { !$0.value.aside.isEmpty }.map(\.key) } }

  /// The models that entities of these types are to meet, and what happens to those that do not.
  func models(of types: [String], in tenant: Tenant) -> (models: [DataModel], mode: ValidationMode)? {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant], shelf.mode != .open, !shelf.models.isEmpty else { return nil }
      let models = types.compactMap { shelf.models[$0] }
      return models.isEmpty ? nil : (models, shelf.mode)
    }
  }

  func count(_ type: String, failed: Bool, in tenant: Tenant) {
    shelves.withLock { shelves in
      shelves[tenant]?.counts[type, default: Counts()].judged += 1
      if failed { shelves[tenant]?.counts[type, default: Counts()].failed += 1 }
    }
  }

  var total: Int { shelves.withLock { $0.values.reduce(0) { $0 + $1.models.count } } }

  var totals: Counts {
    shelves.withLock { shelves in
      shelves.values.flatMap(\.counts.values).reduce(into: Counts()) {
        $0.judged += $1.judged
        $0.failed += $1.failed
      }
    }
  }
}
