import Testing
import Vision

@Suite struct DetectingTests {
  private let picture = PictureSize(width: 768, height: 576)

  @Test func doublesAreDroppedAndNeighboursKept() {
    let detections = [
      Detection(box: Box(x: 0, y: 0, width: 30, height: 80), score: 0.6),
      Detection(box: Box(x: 3, y: 2, width: 30, height: 80), score: 0.9),
      Detection(box: Box(x: 25, y: 0, width: 30, height: 80), score: 0.5),
      // The upper part of the first one, as it is seen at the edge of a region.
      Detection(box: Box(x: 4, y: 2, width: 28, height: 50), score: 0.4),
    ]
    #expect(detections.distinct(overlap: 0.5).map(\.score) == [0.9, 0.5])
  }

  @Test func everyRegionIsDrawnInsideItsCanvasAndNoneOverAnother() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<100 {
      let regions = (0..<Int.random(in: 0...30, using: &random)).map { _ in
        RegionPlan.Region(
          box: Box(
            x: .random(in: -50...760, using: &random), y: .random(in: -50...570, using: &random),
            width: .random(in: 1...400, using: &random), height: .random(in: 1...400, using: &random)),
          personHeight: .random(in: 5...300, using: &random))
      }
      for canvas in RegionPlan(regions, in: picture).canvases {
        #expect(canvas.size.width == RegionPlan.canvasWidth && RegionPlan.canvasHeights.contains(canvas.size.height))
        for (index, placement) in canvas.placements.enumerated() {
          let (from, to) = (placement.from, placement.to)
          #expect(from.clipped(to: picture) == from && to.clipped(to: canvas.size) == to && !to.isEmpty)
          #expect(canvas.placements[..<index].allSatisfy { $0.to.intersection(to).isEmpty })
        }
      }
    }
    #expect(RegionPlan([], in: picture).canvases.isEmpty)
  }

  @Test func everyPointOfARegionIsLookedAt() {
    let region = RegionPlan.Region(box: Box(x: 0, y: 0, width: 768, height: 576), personHeight: 60)
    let placements = RegionPlan([region], in: picture).canvases.flatMap(\.placements)
    for x in stride(from: 0.0, to: 768, by: 16) {
      for y in stride(from: 0.0, to: 576, by: 16) {
        #expect(placements.contains { $0.from.contains(Point(x: x, y: y)) })
      }
    }
    // A person is as tall on the canvas as is wanted.
    #expect(placements.allSatisfy { abs($0.to.height / $0.from.height * 60 - 124) < 4 })
  }

  @Test func whatIsFoundOnACanvasComesBackToItsPlace() throws {
    let region = RegionPlan.Region(box: Box(x: 300, y: 200, width: 60, height: 100), personHeight: 62)
    let canvas = try #require(RegionPlan([region], in: picture).canvases.first)
    let to = try #require(canvas.placements.first).to
    func found(_ box: Box) -> [Detection] {
      RegionPlan.inPicture([Detection(box: box, score: 1)], on: canvas, picture: picture)
    }
    let inside = found(Box(x: to.x + 20, y: to.y + 30, width: 40, height: 120))
    let box = try #require(inside.first).box
    #expect(abs(box.x - 310) < 0.2 && abs(box.y - 215) < 0.2 && abs(box.height - 60) < 0.5)
    // A cut goes through him: another region, or nobody, sees him whole.
    #expect(found(Box(x: to.x - 20, y: to.y + 30, width: 60, height: 120)).isEmpty)
    // On grey there is nobody.
    #expect(found(Box(x: to.right + 30, y: to.y, width: 40, height: 120)).isEmpty)
  }

  @Test func anchorsOfTheNetworkAreWhereTheyWereInTraining() throws {
    // One cell of the second map says "person" with the anchor of ratio 1/2 and nothing to correct.
    func empty(_ channels: Int, _ side: Int) -> Tensor? {
      Tensor(shape: [1, channels, side, side], values: Array(repeating: 0, count: channels * side * side))
    }
    func classes(_ anchors: Int, _ side: Int, at: (anchor: Int, cell: Int)? = nil) -> Tensor? {
      var values = [Float](repeating: -9, count: 2 * anchors * side * side)
      if let at { values[(2 * at.anchor + 1) * side * side + at.cell] = 3 }
      return Tensor(shape: [1, 2 * anchors, side, side], values: values)
    }
    let tensors = try [
      #require(empty(12, 19)), #require(classes(3, 19)), #require(empty(24, 10)),
      #require(classes(6, 10, at: (anchor: 2, cell: 23))), #require(empty(24, 5)), #require(classes(6, 5)),
    ]
    let found = try PersonSSD.detections(tensors, above: 0.5)
    #expect(found.count == 1)
    let box = try #require(found.first).box
    // Row 2, column 3 of cells of 32 pixels.
    #expect(abs(box.centre.x - 102) < 1e-6 && abs(box.centre.y - 70) < 1e-6)
    #expect(abs(box.height / box.width - 2) < 1e-6 && abs(box.height - 148.5) < 0.1)
    #expect(abs(try #require(found.first).score - 0.9526) < 1e-4)
    #expect(throws: DetectorError.self) { try PersonSSD.detections(Array(tensors.dropLast()), above: 0.5) }
    #expect(throws: DetectorError.self) { try PersonSSD.detections(Array(tensors.reversed()), above: 0.5) }
  }

  @Test func headsOfOtherNetworksAreToldApartByTheirShapes() throws {
    let size = PictureSize(width: 416, height: 416)
    #expect(try ModelHead(shapes: [[1, 3549, 85]], picture: size) == .yolox)
    #expect(try ModelHead(shapes: [[1, 1, 100, 7]], picture: size) == .ssdRows)
    #expect(try ModelHead(shapes: [[1, 4420, 2], [1, 4420, 4]], picture: size) == .ssdPair)
    for other in [[[1, 3549, 5]], [[1, 100, 85]], [[1, 10, 6]], [[1, 10, 4], [1, 11, 2]], [], [[3549, 85]]] {
      #expect(throws: DetectorError.self) { try ModelHead(shapes: other, picture: size) }
    }
  }

  @Test func whatOtherNetworksSayIsPutInPixels() throws {
    let size = PictureSize(width: 32, height: 32)
    // Cells: 16 of stride 8, 4 of 16, 1 of 32. The cell of row 1, column 2 of the first.
    var values = [Float](repeating: 0, count: 21 * 6)
    values.replaceSubrange((6 * 6)..<(7 * 6), with: [0.5, 0.5, 0, 0.6931472, 0.9, 0.9])
    let yolox = try #require(Tensor(shape: [1, 21, 6], values: values))
    let found = try #require(ModelHead.yolox.detections([yolox], picture: size, above: 0.5).first)
    #expect(abs(found.box.centre.x - 20) < 1e-4 && abs(found.box.centre.y - 12) < 1e-4)
    #expect(abs(found.box.width - 8) < 1e-4 && abs(found.box.height - 16) < 1e-4 && abs(found.score - 0.81) < 1e-6)
    let rows = try #require(
      Tensor(shape: [1, 1, 2, 7], values: [0, 1, 0.9, 0.25, 0.5, 0.5, 1, 0, 2, 0.9, 0, 0, 1, 1]))
    #expect(
      ModelHead.ssdRows.detections([rows], picture: size, above: 0.5).map(\.box)
        == [Box(x: 8, y: 16, width: 8, height: 16)])
    let boxes = try #require(Tensor(shape: [1, 2, 4], values: [0.25, 0.5, 0.5, 1, 0.5, 0.5, 0.2, 0.9]))
    let scores = try #require(Tensor(shape: [1, 2, 2], values: [0.1, 0.9, 0.1, 0.9]))
    #expect(
      ModelHead.ssdPair.detections([scores, boxes], picture: size, above: 0.5).map(\.box)
        == [Box(x: 8, y: 16, width: 8, height: 16)])
  }

  @Test func theSizeThatANetworkTakesIsReadFromItsFile() {
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(content.count)] + content }
    func dimension(_ value: UInt8) -> [UInt8] { field(1, [1 << 3, value]) }
    let shape = [1, 3, 64, 96].flatMap(dimension)
    let input = field(1, Array("images".utf8)) + field(2, field(1, [8, 1] + field(2, shape)))
    let weight = field(1, Array("w".utf8)) + field(2, field(1, field(2, [1, 1, 1, 1].flatMap(dimension))))
    let graph = field(5, field(8, Array("w".utf8))) + field(11, weight) + field(11, input)
    #expect(ONNXInput.size([8, 7] + field(7, graph)) == PictureSize(width: 96, height: 64))
    #expect(ONNXInput.size(Array("not a network".utf8)) == nil)
    #expect(ONNXInput.size([]) == nil)
    for length in 0..<graph.count { _ = ONNXInput.size(Array(([8, 7] + field(7, graph)).prefix(length))) }
  }
}
