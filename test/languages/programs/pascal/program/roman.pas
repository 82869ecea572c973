{$mode objfpc}{$H+}
unit Roman;
interface
function ToRoman(Value: Integer): string;
implementation
const
  Values: array[0..12] of Integer = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1);
  Signs: array[0..12] of string = ('M', 'CM', 'D', 'CD', 'C', 'XC', 'L', 'XL', 'X', 'IX', 'V', 'IV', 'I');
function ToRoman(Value: Integer): string;
var
  I: Integer;
begin
  Result := '';
  for I := Low(Values) to High(Values) do
    while Value >= Values[I] do
    begin
      Result := Result + Signs[I];
      Dec(Value, Values[I]);
    end;
end;
end.
