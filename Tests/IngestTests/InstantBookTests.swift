import NGSI
import Testing

@testable import Ingest

@Suite("Instants that have been met")
struct InstantBookTests {
  /// A series of rows, half of them at a steady pace, some late, some twice.
  static func instants(_ count: Int, seed: UInt64) -> [Int64] {
    var state = seed
    func next(_ bound: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % bound
    }
    var times: [Int64] = []
    var now: Int64 = 0
    for _ in 0..<count {
      switch next(10) {
      case 0: times.append(times.isEmpty ? 0 : times[Int(next(UInt64(times.count)))])
      case 1: times.append(now - Int64(next(50)))
      case 2:
        now += Int64(next(100))
        times.append(now)
      default:
        now += 10
        times.append(now)
      }
    }
    return times
  }

  @Test("the book tells what a dictionary tells", arguments: [1, 2, 3, 4, 5])
  func dictionary(seed: UInt64) {
    var book = InstantBook()
    var dictionary: [Int64: Int32] = [:]
    for (index, time) in Self.instants(4000, seed: seed).enumerated() {
      let row = Int32(index * 3 + 1)
      let told = book.insert(DateTime(microseconds: time), of: "a", place: InstantBook.Place(file: 0, row: row))
      #expect(told?.row == dictionary[time])
      if dictionary[time] == nil { dictionary[time] = row }
    }
    #expect(!book.hasForgotten && dictionary.count < 4000)
  }

  @Test("files and entities are kept apart; a steady series is remembered whole in little room")
  func steady() {
    var book = InstantBook(most: 4)
    for row in 1...10_000 {
      let time = DateTime(microseconds: Int64(row) * 3_600_000_000)
      #expect(book.insert(time, of: "a", place: InstantBook.Place(file: 0, row: Int32(row))) == nil)
      #expect(book.insert(time, of: "b", place: InstantBook.Place(file: 1, row: Int32(row))) == nil)
    }
    let seventh = DateTime(microseconds: 7 * 3_600_000_000)
    let place = InstantBook.Place(file: 2, row: 1)
    #expect(book.insert(seventh, of: "a", place: place) == InstantBook.Place(file: 0, row: 7))
    #expect(book.insert(seventh, of: "b", place: place) == InstantBook.Place(file: 1, row: 7))
    #expect(!book.hasForgotten)
  }

  @Test("an irregular series is remembered from its newer end, and that is said")
  func bounded() throws {
    var book = InstantBook(most: 100)
    let times = (1...1000).map { Int64($0 * $0 * $0) }
    for (index, time) in times.enumerated() {
      _ = book.insert(DateTime(microseconds: time), of: "a", place: InstantBook.Place(file: 0, row: Int32(index)))
    }
    #expect(book.hasForgotten)
    let place = InstantBook.Place(file: 1, row: 1)
    #expect(book.insert(DateTime(microseconds: times[990]), of: "a", place: place)?.row == 990)
    #expect(book.insert(DateTime(microseconds: times[3]), of: "a", place: place) == nil)
  }
}
