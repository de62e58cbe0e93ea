import Foundation
import NGSI
import Store
import Synchronization

/// Text compared byte by byte. Swift's own equality takes canonically equivalent texts for one, SQLite does not.
struct ExactText: Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ExactText, right: ExactText) -> Bool {
    let (left, right) = (left.text.utf8, right.text.utf8)
    guard left.count == right.count else { return false }
    // Four times as fast as comparing byte after byte, and most names are long.
    let same = left.withContiguousStorageIfAvailable { a in
      right.withContiguousStorageIfAvailable { b in
        guard let first = a.baseAddress, let second = b.baseAddress else { return true }
        return memcmp(first, second, a.count) == 0
      }
    }
    if case .some(.some(let same)) = same { return same }
    return left.elementsEqual(right)
  }

  func hash(into hasher: inout Hasher) {
    let done: Void? = text.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    if done == nil { for byte in text.utf8 { hasher.combine(byte) } }
  }
}

/// A type or attribute name of one tenant.
struct NameKey: Hashable {
  let tenant: Int64
  let iri: ExactText

  init(_ tenant: Int64, _ iri: String) {
    self.tenant = tenant
    self.iri = ExactText(iri)
  }
}

/// The committed names, shared by all connections: number to IRI and back.
///
/// Holds the first ``limit`` names; later ones are looked up in the file each time, so that strange input cannot grow
/// memory without bound.
final class Names: Sendable {
  static let limit = 65_536

  struct Table {
    /// IRI by number; number 0 is not used.
    var iris: [String] = [""]
    var numbers: [NameKey: Int64] = [:]
    var tenants: [ExactText: Int64] = [:]
  }

  private let table = Mutex(Table())
  private let changes = Atomic(0)

  /// Grows with each change of ``iris``, after it.
  var version: Int { changes.load(ordering: .acquiring) }

  func load(from connection: Connection) throws(StoreError) {
    var loaded = Table()
    let names = try connection.statement(.namesInOrder).bind(1, Names.limit)
    while try names.step() {
      guard names.integer(0) == loaded.iris.count else { break }
      let iri = names.text(2)
      loaded.numbers[NameKey(names.integer(1), iri)] = names.integer(0)
      loaded.iris.append(iri)
    }
    names.reset()
    let tenants = try connection.statement(.tenantsInOrder)
    while try tenants.step() { loaded.tenants[ExactText(tenants.text(1))] = tenants.integer(0) }
    tenants.reset()
    let ready = loaded
    table.withLock { $0 = ready }
    changes.add(1, ordering: .releasing)
  }

  /// IRIs by number as they are now.
  var iris: [String] { table.withLock { $0.iris } }

  func number(_ key: NameKey) -> Int64? { table.withLock { $0.numbers[key] } }

  func tenant(_ name: String) -> Int64? { table.withLock { $0.tenants[ExactText(name)] } }

  func publish(_ names: [(key: NameKey, number: Int64)], tenants: [(name: String, number: Int64)]) {
    guard !names.isEmpty || !tenants.isEmpty else { return }
    defer { changes.add(1, ordering: .releasing) }
    table.withLock { table in
      for (key, number) in names where number == table.iris.count && number <= Names.limit {
        table.iris.append(key.iri.text)
        table.numbers[key] = number
      }
      for (name, number) in tenants { table.tenants[ExactText(name)] = number }
    }
  }
}
