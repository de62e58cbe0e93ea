import NGSI
import Query
import Store

/// What one task of the workload owns, as it can be read back: entities, histories, outbox items and a document.
///
/// Each step of a task is a function of its number, so that what a task has after a step can be told without the store.
struct Cell: Equatable {
  struct Thing: Equatable {
    var number: Int
    var padding: Int
    var longitude: Double?
    var scopes: [String] = []
  }

  struct Waiting: Equatable {
    var payload: Int
    var attempts: Int
  }

  /// By id.
  var things: [String: Thing] = [:]
  /// By entity id: values by the second at which they were observed.
  var histories: [String: [Int: Int]] = [:]
  var outbox: [Waiting] = []
  var document: Int?
}

/// One step of a task: a write of one kind, all or nothing.
struct Step: Sendable {
  enum Kind: CaseIterable {
    case put, batch, move, settle, correct, delete, refused, forget
  }

  struct Refusal: Error {}

  static let satellites = 4
  private static let number = "urn:number"

  let task: Int
  /// From 1.
  let count: Int

  var kind: Kind {
    // Puts and batches are what a city does most.
    let order: [Kind] = [.put, .batch, .put, .move, .put, .settle, .batch, .correct, .put, .refused, .put, .batch]
    if count % 29 == 0 { return .forget }
    if count % 17 == 0 { return .delete }
    return order[(count + task * 5) % order.count]
  }

  var main: String { "urn:cell:\(task)" }
  var subscription: String { "urn:subscription:\(task)" }
  private func satellite(_ number: Int) -> String { "urn:satellite:\(task):\(number)" }
  /// Some are longer than a page.
  private var padding: Int { count * 37 % 11 == 0 ? 5_000 : count * 53 % 700 }
  /// An earlier step that had given its instance an id, to be corrected: replaced or deleted.
  private var corrected: Int? { count > 6 ? count - 6 : nil }
  private func instanceId(_ count: Int) -> String { "urn:instance:\(task):\(count)" }

  // MARK: As a model

  func apply(to cell: inout Cell) {
    switch kind {
    case .put:
      var thing = cell.things[main] ?? Cell.Thing(number: 0, padding: 0)
      thing.number = count
      thing.padding = padding
      cell.things[main] = thing
      cell.histories[main, default: [:]][count] = count
      cell.outbox.append(Cell.Waiting(payload: count, attempts: 0))
    case .batch:
      for satellite in 0..<Self.satellites {
        cell.things[self.satellite(satellite)] = Cell.Thing(number: count, padding: 20 * satellite)
        cell.histories[self.satellite(satellite), default: [:]][count] = count
      }
    case .move:
      cell.things[main] = Cell.Thing(
        number: count, padding: padding, longitude: Double(count), scopes: ["/a/\(count % 3)", "/b"])
    case .settle:
      cell.outbox.removeFirst(min(2, cell.outbox.count))
      if !cell.outbox.isEmpty { cell.outbox[cell.outbox.count - 1].attempts = count }
    case .correct:
      guard let corrected, cell.histories[main]?[corrected] != nil else { return }
      cell.histories[main]?[corrected] = count % 2 == 0 ? nil : -count
      if cell.histories[main]?.isEmpty == true { cell.histories[main] = nil }
    case .delete:
      cell.things[main] = nil
      cell.document = count
    case .refused: break
    case .forget: cell.histories[main] = nil
    }
  }

  // MARK: On a store

  /// - Throws: ``Refusal`` when the step is one that takes back what it began.
  func perform(_ writer: any StoreWriter) throws {
    switch kind {
    case .put:
      let old = try writer.entity(main, in: .default)
      let location = old?.attributes.first { $0.name == "urn:location" }
      try writer.put(
        entity(main, padding, location: location, scopes: old?.scopes ?? []), replacing: old, in: .default)
      try writer.append([entry(main)], types: [main: ["urn:Cell"]], in: .default)
      _ = try writer.enqueue([
        OutboxItem(
          tenant: .default, subscriptionId: subscription, payload: Array("\(count)".utf8),
          dueAt: DateTime(microseconds: Int64(count)))
      ])
    case .batch:
      for satellite in 0..<Self.satellites {
        let id = self.satellite(satellite)
        try writer.put(
          entity(id, 20 * satellite), replacing: try writer.entity(id, in: .default), in: .default)
        try writer.append([entry(id)], types: [:], in: .default)
      }
    case .move:
      let point: JSON = ["type": "Point", "coordinates": [.double(Double(count)), 37.5]]
      let location = AttributeSet(name: "urn:location", instances: [Attribute(kind: .geoProperty, value: point)])
      try writer.put(
        entity(main, padding, location: location, scopes: ["/a/\(count % 3)", "/b"]),
        replacing: try writer.entity(main, in: .default), in: .default)
    case .settle:
      let waiting = try writer.outbox(of: subscription, in: .default, after: 0, limit: 1000)
      try writer.removeFromOutbox(waiting.prefix(2).map(\.sequence))
      if let last = waiting.dropFirst(2).last {
        try writer.postpone(last.sequence, attempts: count, until: DateTime(microseconds: 0))
      }
    case .correct:
      guard let corrected else { return }
      if count % 2 == 0 {
        _ = try writer.deleteHistory(
          of: main, attribute: Self.number, instanceId: instanceId(corrected), in: .default)
      } else {
        _ = try writer.replaceHistory(
          entry(main, value: -count, second: corrected), instanceId: instanceId(corrected), in: .default)
      }
    case .delete:
      if let old = try writer.entity(main, in: .default) { try writer.delete(old, in: .default) }
      try writer.put(
        StoredDocument(id: main, body: ["count": .integer(Int64(count))]), collection: "cells", in: .default)
    case .refused:
      try writer.put(
        entity(main, 3_000), replacing: try writer.entity(main, in: .default), in: .default)
      try writer.append([entry(main)], types: [:], in: .default)
      throw Refusal()
    case .forget: _ = try writer.deleteHistory(of: main, in: .default)
    }
  }

  private func entity(
    _ id: String, _ padding: Int, location: AttributeSet? = nil, scopes: [String] = []
  ) -> Entity {
    var sets = [
      AttributeSet(name: Self.number, instances: [Attribute(kind: .property, value: .integer(Int64(count)))]),
      AttributeSet(
        name: "urn:text",
        instances: [Attribute(kind: .property, value: .string(String(repeating: "x", count: padding)))]),
    ]
    if let location { sets.append(location) }
    return Entity(id: id, types: ["urn:Cell"], scopes: scopes, attributes: sets)
  }

  private func entry(_ id: String, value: Int? = nil, second: Int? = nil) -> HistoryEntry {
    var instance = Attribute(kind: .property, value: .integer(Int64(value ?? count)))
    instance.observedAt = DateTime(microseconds: Int64(second ?? count) * 1_000_000)
    instance.instanceId = instanceId(second ?? count)
    return HistoryEntry(entityId: id, attribute: Self.number, instance: instance)
  }
}

// MARK: - Reading a cell back

extension Cell {
  /// What a store holds of a task.
  init(of task: Int, _ reader: any StoreReader) throws {
    let step = Step(task: task, count: 0)
    let ids = [step.main] + (0..<Step.satellites).map { "urn:satellite:\(task):\($0)" }
    for id in ids {
      if let entity = try reader.entity(id, in: .default) { things[id] = Thing(entity) }
      var query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: .max)
      query.entities.ids = [id]
      guard let history = try reader.evolutions(query, in: .default).entities.first else { continue }
      var values: [Int: Int] = [:]
      for instance in history.attributes.flatMap(\.instances) {
        let second = Int((instance.observedAt?.microseconds ?? -1) / 1_000_000)
        // Twice the same second would be twice the same write.
        values[second] = values[second] == nil ? Int(instance.value.integer ?? .min) : .min
      }
      if !values.isEmpty { histories[id] = values }
    }
    outbox = try reader.outbox(of: step.subscription, in: .default, after: 0, limit: .max).map { item in
      Waiting(payload: Int(String(decoding: item.payload, as: UTF8.self)) ?? .min, attempts: item.attempts)
    }
    document = try reader.document(step.main, collection: "cells", in: .default)?.body["count"]?.integer.map { Int($0) }
  }
}

extension Cell.Thing {
  init(_ entity: Entity) {
    func value(_ name: String) -> JSON? { entity.attributes.first { $0.name == name }?.instances.first?.value }
    number = Int(value("urn:number")?.integer ?? .min)
    padding = value("urn:text")?.string?.count ?? .min
    longitude = value("urn:location")?["coordinates"]?.items.first?.number
    scopes = entity.scopes
  }
}
