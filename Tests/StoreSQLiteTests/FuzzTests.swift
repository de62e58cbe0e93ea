import Fuzzing
import NGSI
import Store
import Testing

@testable import StoreSQLite

/// Damaged bytes of a file against the readers of what is stored: an error, never a crash (see `Fuzz`).
@Suite(.serialized) struct FuzzTests {
  private static let names = ["", "urn:T", "urn:a", "urn:b", "CEL", "urn:d"]

  private static func name(_ number: Int64) throws(StoreError) -> String {
    guard names.indices.contains(Int(truncatingIfNeeded: number)) else { throw ByteReader.damaged }
    return names[Int(number)]
  }

  private func check(_ outcome: Fuzz.Outcome) {
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }

  @Test func entities() throws {
    var attribute = Attribute(
      kind: .property, value: ["k": [1, "two", 3.5, .null, .decimal("1e400")]], unitCode: "CEL")
    attribute.subAttributes = [AttributeSet(name: "urn:b", instances: [Attribute(kind: .relationship, value: "urn:x")])]
    attribute.observedAt = DateTime(microseconds: 1)
    let entity = Entity(
      id: "urn:e", types: ["urn:T"], scopes: ["/a"],
      attributes: [
        AttributeSet(name: "urn:a", instances: [attribute, Attribute(kind: .property, value: 2, datasetId: "urn:d")])
      ])
    var writer = ByteWriter()
    try writer.entity(entity) { Int64(Self.names.firstIndex(of: $0) ?? 0) }
    let seeds = [writer.bytes]
    check(
      Fuzz().run {
        Mutation.bytes(&$0, seeds)
      } isRefusal: {
        $0 is StoreError
      } parse: { (bytes: [UInt8]) in
        try bytes.withUnsafeBytes { bytes in
          // Each way of reading has to stand everything, also what another refuses.
          var part = ByteReader(bytes)
          _ = try? part.entity(with: [2], iri: Self.name)
          var shown = ByteReader(bytes)
          var names = ShownNames(.core)
          var text = JSONWriter()
          let form = EntityWriter(context: .core, representation: Representation(.normalized))
          try? shown.show(
            as: form, &names, embeddedContext: nil, to: &text, shows: { $0 % 2 == 0 }, iri: Self.name)
          var reader = ByteReader(bytes)
          _ = try reader.entity(iri: Self.name)
        }
      })
  }

  @Test func histories() throws {
    var writer = ByteWriter()
    var state = RecordState()
    for number in 0..<6 {
      let contents: [(InstanceFlags, InstanceRecord.Content)] = [
        (.integer, .integer(Int64(number))), (.double, .double(0.1)), (.text, .text("text")),
        (.body, .body([1, 0, 0])),
      ]
      let (flag, content) = contents[number % 4]
      var record = InstanceRecord(
        key: InstanceKey(time: Int64(number) * 3_600_000_000, number: Int64(number)),
        flags: [InstanceFlags(rawValue: 1), .created, .unit, flag], content: content)
      record.created = 1_700_000_000_000_000
      record.unit = 4
      writer.record(record, after: &state)
    }
    let seeds = [writer.bytes]
    check(
      Fuzz().run {
        Mutation.bytes(&$0, seeds)
      } isRefusal: {
        $0 is StoreError
      } parse: { (bytes: [UInt8]) in
        try bytes.withUnsafeBytes { bytes in
          var reader = ByteReader(bytes)
          var state = RecordState()
          while !reader.isAtEnd { _ = try reader.record(after: &state) }
        }
      })
  }
}
